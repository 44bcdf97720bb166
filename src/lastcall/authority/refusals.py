"""How a refused request is remembered: one audit record, whatever the verb had begun undone."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from lastcall.domain.access import Caller
from lastcall.domain.audit import Action, Outcome, event_by
from lastcall.domain.errors import AuthorityError, Busy, Invalid, LockedOut, StoreUnavailable
from lastcall.ports import Env

NOT_RECORDED = (Invalid, Busy, StoreUnavailable)
"""Malformed, shed, or impossible to record: counted and logged, not audited."""


@asynccontextmanager
async def refusals(
    env: Env,
    caller: Caller,
    action: Action,
    target: str = "",
    detail: Mapping[str, str] | None = None,
) -> AsyncIterator[None]:
    """Record a refusal raised inside, in a transaction of its own, and let it go on.

    Of a lock only the first refusal is: what nobody has to log in for must not fill the disk.
    """
    try:
        yield
    except NOT_RECORDED:
        raise
    except AuthorityError as error:
        if isinstance(error, LockedOut) and not error.first:
            raise
        event = event_by(
            caller,
            env.clock.now(),
            action,
            Outcome.REFUSED,
            target=target,
            code=error.code,
            detail={"detail": error.detail, **(detail or {})},
        )
        async with env.store.transaction(caller.tenant) as tx:
            await tx.record(event)
        raise
