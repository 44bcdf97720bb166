"""How a refused request is remembered: one audit record, whatever the verb had begun undone."""

from collections.abc import Mapping
from types import TracebackType

from lastcall.domain.access import Caller
from lastcall.domain.audit import Action, Outcome, event_by
from lastcall.domain.errors import AuthorityError, Busy, Invalid, LockedOut, StoreUnavailable
from lastcall.domain.token import hash_token
from lastcall.ports import Env

NOT_RECORDED = (Invalid, Busy, StoreUnavailable)
"""Malformed, shed, or impossible to record: counted and logged, not audited."""


LONGEST = 128
"""Characters of a target that are kept: any caller can name what is not there."""


class refusals:  # noqa: N801 - read as a word, like contextlib.suppress
    """Record a refusal raised inside, in a transaction of its own, and let it go on.

    Of a lock only the first refusal is: what nobody has to log in for must not fill the disk.
    """

    __slots__ = ("_action", "_caller", "_detail", "_env", "_target")

    def __init__(
        self,
        env: Env,
        caller: Caller,
        action: Action,
        target: str = "",
        detail: Mapping[str, str] | None = None,
    ) -> None:
        self._env = env
        self._caller = caller
        self._action = action
        self._target = target
        self._detail = detail

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, AuthorityError) and _worth_recording(error):
            await self._record(error)

    async def _record(self, error: AuthorityError) -> None:
        env, target = self._env, self._target
        hashed = hash_token(target.partition(":")[2].partition(" ")[0])
        is_token = await env.store.find(hashed) is not None
        async with env.store.transaction(self._caller.tenant) as tx:
            is_token = is_token or await tx.session_with_refresh(hashed) is not None
            event = event_by(
                self._caller,
                env.clock.now(),
                self._action,
                Outcome.REFUSED,
                target=_shown(target, is_token=is_token),
                code=error.code,
                detail={"detail": error.detail, **(self._detail or {})},
            )
            await tx.record(event)


def _worth_recording(error: AuthorityError) -> bool:
    return not isinstance(error, NOT_RECORDED) and (not isinstance(error, LockedOut) or error.first)


def _shown(target: str, *, is_token: bool) -> str:
    """No token that somebody put where an id belongs, and no more than a line of anything."""
    if is_token:
        return f"{target.partition(':')[0]}:(a token)"
    return target if len(target) <= LONGEST else f"{target[:LONGEST]}..."
