"""How a refused request is remembered: one audit record, whatever the verb had begun undone."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from lastcall.domain.access import Caller
from lastcall.domain.audit import Action, Outcome, event_by
from lastcall.domain.errors import AuthorityError, Busy, Invalid, LockedOut, StoreUnavailable
from lastcall.domain.token import hash_token
from lastcall.ports import Env

NOT_RECORDED = (Invalid, Busy, StoreUnavailable)
"""Malformed, shed, or impossible to record: counted and logged, not audited."""


LONGEST = 128
"""Characters of a target that are kept: any caller can name what is not there."""


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
        hashed = hash_token(target.partition(":")[2].partition(" ")[0])
        is_token = await env.store.find(hashed) is not None
        async with env.store.transaction(caller.tenant) as tx:
            is_token = is_token or await tx.session_with_refresh(hashed) is not None
            event = event_by(
                caller,
                env.clock.now(),
                action,
                Outcome.REFUSED,
                target=_shown(target, is_token=is_token),
                code=error.code,
                detail={"detail": error.detail, **(detail or {})},
            )
            await tx.record(event)
        raise


def _shown(target: str, *, is_token: bool) -> str:
    """No token that somebody put where an id belongs, and no more than a line of anything."""
    if is_token:
        return f"{target.partition(':')[0]}:(a token)"
    return target if len(target) <= LONGEST else f"{target[:LONGEST]}..."
