"""RSA Governance & Lifecycle ("Aveksa"): logs a stored token out, as its own bearer would."""

from collections.abc import Mapping, Sequence

from lastcall.domain.delivery import Outcome
from lastcall.errand import BEARER, Errand, object_in, problems, ruled, seen, unclear
from lastcall.outward import Answer, Egress, Notice, Setting, Signer, Target, Told
from lastcall.telling import harmless, nobody_named

LOGOUT, KEEP_ALIVE = "logoutUser", "keepAlive"
OVER = b"invalid or expired"
"""How both 401 pages end that are about the token; the others are about what it may do."""


class Rsa:
    """The `sid` is the token. No command names another user: only a bearer ends its own session."""

    name = "rsa"
    settings: Sequence[Setting] = (
        Setting(name="url", about="where the server answers, without /aveksa"),
    )

    def __init__(self, egress: Egress, _signer: Signer) -> None:
        self._egress = egress

    def problems(self, target: Target) -> Sequence[str]:
        return problems(target, self.settings)

    async def tell(self, target: Target, notice: Notice) -> Told:
        if not BEARER.fullmatch(notice.sid):
            return nobody_named()
        errand = Errand(self._egress, target)
        headers = {"authorization": f"Bearer {notice.sid}"}
        answer = await errand.ask("POST", command(LOGOUT), headers=headers, ends=True)
        told = read(answer)
        if told.outcome is not Outcome.DONE:
            return told
        return seen(told, await dead(errand, headers, notice.sid))

    async def test(self, target: Target, notice: Notice) -> Told:
        """A token nobody has: a server that works says that it is invalid or expired."""
        return await self.tell(target, harmless(notice))


def command(name: str) -> str:
    return f"/aveksa/command.submit?cmd={name}&format=json"


def over(answer: Answer) -> bool:
    return answer.status == 401 and OVER in answer.body


def obeyed(answer: Answer, name: str) -> bool:
    data = object_in(answer).get("data")
    return answer.status == 200 and isinstance(data, dict) and data.get("type") == name


def read(answer: Answer) -> Told:
    if obeyed(answer, LOGOUT) or over(answer):
        return ruled(answer, Outcome.DONE)
    if answer.status == 401:
        return ruled(answer, Outcome.REFUSED, "not permitted there")
    return unclear(answer, answer.status)


async def dead(errand: Errand, headers: Mapping[str, str], token: str) -> bool | None:
    """Whether the token is dead; None where the answer does not tell.

    Tokens of trusted applications begin with `ta` and may not keep alive: they log out again.
    """
    name, method = (LOGOUT, "POST") if token.startswith("ta") else (KEEP_ALIVE, "GET")
    answer = await errand.look(method, command(name), headers=headers)
    if answer is None:
        return None
    if over(answer):
        return True
    return False if obeyed(answer, name) else None
