"""Rocket.Chat: an administrator there logs a user out, or one session, with a second factor."""

from collections.abc import Sequence
from dataclasses import replace

from lastcall.connectors.rocketchat.desk import app, leave, take
from lastcall.connectors.rocketchat.endings import end_session, end_user
from lastcall.domain.client import Naming
from lastcall.errand import Errand, problems
from lastcall.outward import Egress, Notice, Setting, Signer, Target, Told
from lastcall.telling import harmless, nobody_named


class RocketChat:
    """The `sid` is a session's id, the account a user's id; neither is a secret."""

    name = "rocketchat"
    settings: Sequence[Setting] = (
        Setting(name="url", about="where the workspace answers, without /api"),
        Setting(name="user_id", about="the id of the administrator with the token", required=False),
        Setting(name="token", about="a personal access token", required=False, secret=True),
        Setting(name="username", about="whom to log in, without a token", required=False),
        Setting(
            name="password",
            about="to log in with, and the second factor of who has no stronger one",
            required=False,
            secret=True,
        ),
        Setting(
            name="totp_secret",
            about="in base32, for the codes of an administrator with an authenticator app",
            required=False,
            secret=True,
        ),
    )

    def __init__(self, egress: Egress, _signer: Signer) -> None:
        self._egress = egress

    def problems(self, target: Target) -> Sequence[str]:
        found = problems(target, self.settings)
        held = {name for name, value in {**target.settings, **target.secrets}.items() if value}
        if not ({"user_id", "token"} <= held or {"username", "password"} <= held):
            found.append("user_id and token, or username and password: are missing")
        if target.secrets.get("totp_secret") and app(target) is None:
            found.append("totp_secret: is not base32")
        return found

    async def tell(self, target: Target, notice: Notice) -> Told:
        if not (notice.sid or notice.account):
            return nobody_named()
        errand = Errand(self._egress, target)
        desk = await take(errand, notice.now)
        if isinstance(desk, Told):
            return desk
        try:
            if notice.sid:
                return await end_session(desk, notice.sid)
            return await end_user(desk, notice.account, notice.at)
        finally:
            await leave(desk)

    async def test(self, target: Target, notice: Notice) -> Told:
        """A session that is not found, or a user whom nobody is."""
        nobody = harmless(notice)
        if target.client.naming is Naming.SUB:
            nobody = replace(nobody, sid="")
        return await self.tell(target, nobody)
