"""Shared signals: CAEP 1.0 `session-revoked` as a security event token, pushed (RFC 8935)."""

from collections.abc import Mapping, Sequence

from lastcall.outward import Egress, Notice, Setting, Signer, Target, Told
from lastcall.telling import (
    ALGORITHMS,
    FORMATS,
    NAMING,
    PROBE,
    chosen,
    harmless,
    identifier,
    misset,
    nobody_named,
    one_of,
    posted,
    probed,
)

EVENT = "https://schemas.openid.net/secevent/caep/event-type/session-revoked"
SUBJECTS = ("complex", "simple")
ENTITIES = ("admin", "user", "policy", "system")

Identifier = Mapping[str, object]


class SharedSignals:
    name = "shared-signals"
    settings: Sequence[Setting] = (
        Setting(name="url", about="the receiver's push endpoint"),
        Setting(name="audience", about="the aud the receiver expects"),
        Setting(
            name="subject",
            about="complex (default: the user, and the session where one is meant) or simple"
            " (the session where one is meant, else the user)",
            required=False,
        ),
        *NAMING,
        Setting(
            name="initiator",
            about="the initiating_entity: admin (default), user, policy or system",
            required=False,
        ),
        Setting(
            name="alg",
            about="how events are signed: RS256 (default), ES256 or EdDSA",
            required=False,
        ),
        Setting(
            name="authorization",
            about="the Authorization header the receiver asked for",
            required=False,
            secret=True,
        ),
        *PROBE,
    )

    def __init__(self, egress: Egress, signer: Signer) -> None:
        self._egress = egress
        self._signer = signer

    def problems(self, target: Target) -> Sequence[str]:
        return [
            *misset(target, self.settings, urls=("url", "probe_url")),
            *one_of(target, "subject", SUBJECTS),
            *one_of(target, "format", FORMATS),
            *one_of(target, "initiator", ENTITIES),
            *one_of(target, "alg", ALGORITHMS),
        ]

    async def tell(self, target: Target, notice: Notice) -> Told:
        return await probed(self._egress, target, notice, self._push(target, notice))

    async def test(self, target: Target, notice: Notice) -> Told:
        return await self._push(target, harmless(notice))

    async def _push(self, target: Target, notice: Notice) -> Told:
        subject = self._subject(target, notice)
        if subject is None:
            return nobody_named()
        token = await self._signer.sign(
            {
                "iss": self._signer.issuer,
                "aud": target.settings.get("audience", ""),
                "iat": notice.now // 1000,
                "jti": notice.jti,
                "txn": notice.receipt,
                "sub_id": subject,
                "events": {EVENT: _event(target, notice)},
            },
            typ="secevent+jwt",
            alg=chosen(target, "alg", ALGORITHMS),
        )
        headers = {"Content-Type": "application/secevent+jwt", "Accept": "application/json"}
        if credential := target.secrets.get("authorization", ""):
            headers["Authorization"] = credential
        url = target.settings.get("url", "")
        return await posted(self._egress, target, url, headers, token.encode("ascii"))

    def _subject(self, target: Target, notice: Notice) -> Identifier | None:
        user = identifier(target, notice, self._signer.issuer)
        session = {"format": "opaque", "id": notice.sid} if notice.sid else None
        if chosen(target, "subject", SUBJECTS) == "simple":
            return session or user
        members = {name: one for name, one in (("user", user), ("session", session)) if one}
        return {"format": "complex", **members} if members else None


def _event(target: Target, notice: Notice) -> Mapping[str, object]:
    return {
        "event_timestamp": notice.at // 1000,
        "initiating_entity": chosen(target, "initiator", ENTITIES),
        "reason_admin": {"en": notice.reason or "The session was ended."},
    }
