"""Every way, on any wire, to end what is not one's own, driven alike."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from lastcall.domain.access import Permission
from lastcall.domain.subject import Subject
from tests.access.driving import PASSWORD, Answer, Ask, Held, Wire, as_json, proof
from tests.access.wires import MULTITECH, NATIVE, OAUTH, ROCKETCHAT, WIRES, rocketchat
from tests.world import World


@dataclass(frozen=True)
class Target:
    """Whom or what a call names; any of it may be made up."""

    who: Subject
    session: str
    token: str

    @classmethod
    def of(cls, held: Held) -> "Target":
        return cls(who=held.who, session=held.session, token=held.token)


@dataclass(frozen=True)
class Ending:
    """One such call. `gated`: the permission is asked for before whose it is, one's own too."""

    name: str
    wire: Wire
    needs: Permission
    ask: Callable[[Held, Target], Ask]
    gated: bool = False

    async def run(self, world: World, by: Held, target: Target) -> Answer:
        return await self.wire.send(world, self.ask(by, target), by.tenant)


def soajs_user(who: Subject) -> str:
    """The `_id` the wire derives for accounts whose own id is not of its form."""
    text = f"soajs\nuser\n{who.tenant}\n{who.id}"
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _oauth(by: Held, path: str) -> Ask:
    headers = {"key": f"key-of-{by.tenant}", "Authorization": f"Bearer {by.token}"}
    return Ask("DELETE", path, headers)


def _native(by: Held) -> dict[str, str]:
    return {"Authorization": f"Bearer {by.token}"}


ENDINGS = tuple(
    ending
    for ending in (
        Ending(
            name="multitech-token",
            wire=MULTITECH,
            needs=Permission.PEER_LOGOUT,
            ask=lambda by, target: Ask(
                "GET",
                "/api/logout?" + urlencode({"logoutUser": target.who.username, "token": by.token}),
            ),
        ),
        Ending(
            name="multitech-password",
            wire=MULTITECH,
            needs=Permission.PEER_LOGOUT,
            ask=lambda by, target: Ask(
                "GET",
                "/api/logout?"
                + urlencode(
                    {
                        "username": by.who.username,
                        "password": PASSWORD,
                        "logoutUser": target.who.username,
                    }
                ),
            ),
        ),
        Ending(
            name="rocketchat-session",
            wire=ROCKETCHAT,
            needs=Permission.SESSION_END_OTHERS,
            ask=lambda by, target: as_json(
                "POST",
                "/api/v1/sessions/logout",
                {"sessionId": target.session},
                **rocketchat(by.shown),
                **proof(by.who),
            ),
            gated=True,
        ),
        Ending(
            name="rocketchat-user",
            wire=ROCKETCHAT,
            needs=Permission.SUBJECT_LOGOUT,
            ask=lambda by, target: as_json(
                "POST",
                "/api/v1/users.logout",
                {"userId": target.who.id},
                **rocketchat(by.shown),
                **proof(by.who),
            ),
        ),
        Ending(
            name="oauth-user",
            wire=OAUTH,
            needs=Permission.SUBJECT_LOGOUT,
            ask=lambda by, target: _oauth(by, f"/oauth/tokens/user/{soajs_user(target.who)}"),
        ),
        Ending(
            name="oauth-token",
            wire=OAUTH,
            needs=Permission.SESSION_END_OTHERS,
            ask=lambda by, target: _oauth(by, f"/oauth/accessToken/{target.token}"),
        ),
        Ending(
            name="native-session",
            wire=NATIVE,
            needs=Permission.SESSION_END_OTHERS,
            ask=lambda by, target: Ask(
                "DELETE", f"/v1/sessions/{quote(target.session)}", _native(by)
            ),
        ),
        Ending(
            name="native-session-scope",
            wire=NATIVE,
            needs=Permission.SESSION_END_OTHERS,
            ask=lambda by, target: as_json(
                "POST",
                "/v1/logout",
                {"scope": {"kind": "session", "session": target.session}},
                **_native(by),
            ),
        ),
        Ending(
            name="native-subject-scope",
            wire=NATIVE,
            needs=Permission.SUBJECT_LOGOUT,
            ask=lambda by, target: as_json(
                "POST",
                "/v1/logout",
                {"scope": {"kind": "subject", "subject": target.who.id}},
                **_native(by),
            ),
        ),
    )
    if ending.wire in WIRES
)
