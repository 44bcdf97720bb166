"""Elvis DAM and WoodWing Assets: logs a stored session out, as its own bearer would."""

import re
from collections.abc import Mapping, Sequence

from lastcall.domain.delivery import Outcome
from lastcall.errand import BEARER, Errand, object_in, problems, ruled, seen, unclear
from lastcall.outward import Answer, Egress, Notice, Setting, Signer, Target, Told
from lastcall.telling import harmless, nobody_named

PROFILE = "/services/profile"
COOKIE = re.compile(r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]{1,4096}")
"""The characters of a cookie's value (RFC 6265 4.1.1)."""


class Elvis:
    """The `sid` is the token of an apilogin, or that of a login, a bar and its CSRF token."""

    name = "elvis"
    settings: Sequence[Setting] = (
        Setting(name="url", about="where the server answers, without /services"),
    )

    def __init__(self, egress: Egress, _signer: Signer) -> None:
        self._egress = egress

    def problems(self, target: Target) -> Sequence[str]:
        return problems(target, self.settings)

    async def tell(self, target: Target, notice: Notice) -> Told:
        headers = presented(notice.sid)
        if headers is None:
            return nobody_named()
        errand = Errand(self._egress, target)
        answer = await errand.ask("POST", "/services/logout", headers=headers, ends=True)
        told = read(answer)
        if told.outcome is not Outcome.DONE:
            return told
        return seen(told, dead(await errand.look("POST", PROFILE, headers=headers)))

    async def test(self, target: Target, notice: Notice) -> Told:
        """A token nobody has: a server that works says that it is not logged in."""
        return await self.tell(target, harmless(notice))


def presented(sid: str) -> Mapping[str, str] | None:
    """The headers a session's own holder would send; None for what is no token."""
    token, bar, csrf = sid.partition("|")
    if not bar:
        return {"authorization": f"Bearer {token}"} if BEARER.fullmatch(token) else None
    if not COOKIE.fullmatch(token) or not BEARER.fullmatch(csrf):
        return None
    return {"cookie": f"authToken={token}", "x-csrf-token": csrf}


def code_of(answer: Answer) -> int:
    """The status; servers have sent errors with 200, and the number in the body."""
    code = object_in(answer).get("errorcode")
    return code if answer.status == 200 and type(code) is int and code else answer.status


def read(answer: Answer) -> Told:
    match code_of(answer):
        case 200 if object_in(answer).get("logoutSuccess") is True:
            return ruled(answer, Outcome.DONE)
        case 401:
            return ruled(answer, Outcome.DONE)
        case 403:
            return ruled(answer, Outcome.REFUSED, "CSRF token refused")
        case code:
            return unclear(answer, code)


def dead(answer: Answer | None) -> bool | None:
    """Whether the profile was refused for want of a login; None where the answer does not tell."""
    if answer is None:
        return None
    if code_of(answer) == 401:
        return True
    return False if "username" in object_in(answer) else None
