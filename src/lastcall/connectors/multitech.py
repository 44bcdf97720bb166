"""MultiTech rCell and mPower: logs a user out with `logoutUser`, or one session by its token."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from lastcall.domain.delivery import Outcome
from lastcall.errand import Errand, problems, ruled, seen, unclear
from lastcall.outward import Answer, Egress, Notice, Setting, Signer, Target, Told, judged
from lastcall.telling import harmless, nobody_named

TOKEN = re.compile(r"[0-9A-Za-z]{16,128}")
CODE = re.compile(rb'"code"\s*:\s*([1-5][0-9]{2})\b')
SUCCESS = re.compile(rb'"status"\s*:\s*"success"')
USER = re.compile(rb'"user"\s*:\s*"([^"\\]*)"')
NO_TRIES_LEFT = re.compile(rb"\b0 attempts remaining")

WHO = "/api/whoami?inactivity=true"
"""Who is logged in; where the device knows the parameter, without keeping the session awake."""

UNKNOWN_USER = "no such user there"


class MultiTech:
    """Records are read by patterns: devices have sent them with a string left open.

    Devices take a token only from the address it was given to, so one refused here may well be
    live elsewhere. Only a token seen to count beforehand proves anything by its refusal.
    """

    name = "multitech"
    settings: Sequence[Setting] = (
        Setting(name="url", about="where the device answers, without /api"),
        Setting(name="username", about="a user there whose permission no user to be ended exceeds"),
        Setting(name="password", about="that user's password", secret=True),
    )

    def __init__(self, egress: Egress, _signer: Signer) -> None:
        self._egress = egress

    def problems(self, target: Target) -> Sequence[str]:
        return problems(target, self.settings)

    async def tell(self, target: Target, notice: Notice) -> Told:
        errand = Errand(self._egress, target)
        if TOKEN.fullmatch(notice.sid):
            session = {"cookie": f"token={notice.sid}"}
            answer = await errand.ask("GET", WHO, headers=session)
            if counts(answer):
                return await end_session(errand, session)
            if judged(answer).outcome is Outcome.RETRY:
                return judged(answer)
        if not notice.account:
            return nobody_named()
        return await end_user(errand, notice.account)

    async def test(self, target: Target, notice: Notice) -> Told:
        """Asked for a user it does not have, a device that takes the credentials says so."""
        told = await self.tell(target, harmless(notice))
        if told.error == UNKNOWN_USER:
            return replace(told, outcome=Outcome.DONE, error="")
        return told


def counts(answer: Answer | None) -> bool | None:
    """Whether `whoami` knew the token; None where its answer does not tell."""
    if answer is None:
        return None
    if code_of(answer) == 401:
        return False
    return True if answer.status == 200 and SUCCESS.search(answer.body) else None


async def end_session(errand: Errand, session: Mapping[str, str]) -> Told:
    answer = await errand.ask("POST", "/api/logout", headers=session, ends=True)
    if code_of(answer) == 401:
        told = ruled(answer, Outcome.DONE)
    else:
        told = read(answer)
    if told.outcome is not Outcome.DONE:
        return told
    alive = counts(await errand.look("GET", WHO, headers=session))
    return seen(told, None if alive is None else not alive)


async def end_user(errand: Errand, account: str) -> Told:
    """By the service user's credentials in the same call: no login, hence no conflict of logins."""
    own = errand.value("username")
    said = {
        "username": own,
        "password": errand.value("password"),
        "logoutUser": account,
    }
    answer = await errand.ask("POST", "/api/logout", members=said, ends=True)
    told = read(answer)
    ended = USER.search(answer.body)
    if told.outcome is Outcome.DONE and ended and ended[1] == own.encode() and account != own:
        return ruled(answer, Outcome.REFUSED, "ended the service user instead")
    return told


def code_of(answer: Answer) -> int:
    """The status, or what the body says where that is worse."""
    found = CODE.search(answer.body)
    return int(found[1]) if found and answer.status == 200 else answer.status


def read(answer: Answer) -> Told:
    body = answer.body
    match code_of(answer):
        case 200 if SUCCESS.search(body):
            return ruled(answer, Outcome.DONE)
        case 401 if NO_TRIES_LEFT.search(body):
            return ruled(answer, Outcome.RETRY, "service user locked out")
        case 401:
            return ruled(answer, Outcome.REFUSED, "credentials refused")
        case 403:
            return ruled(answer, Outcome.REFUSED, "not permitted there")
        case 404 if CODE.search(body):
            return ruled(answer, Outcome.REFUSED, UNKNOWN_USER)
        case 409:
            return ruled(answer, Outcome.RETRY, "conflict")
        case code:
            return unclear(answer, code)
