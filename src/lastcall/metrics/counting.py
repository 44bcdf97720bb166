"""A store whose look-ups are counted."""

from typing import Any, cast

from lastcall.domain.errors import StoreUnavailable
from lastcall.domain.session import State, state_of, token_counts
from lastcall.domain.types import Instant, TokenHash
from lastcall.metrics.figures import Metrics
from lastcall.ports import Clock, Found, Store


def counted(store: Store, clock: Clock, metrics: Metrics) -> Store:
    """The same store, whose token look-ups are counted by what they found."""
    return cast(Store, _CountedStore(store, clock, metrics))


class _CountedStore:
    """Answers `find` itself; everything else is asked of the store, whatever it learns to do."""

    def __init__(self, store: Store, clock: Clock, metrics: Metrics) -> None:
        self._store = store
        self.peek = store.peek
        self.era = store.era
        self.touch = store.touch
        self.transaction = store.transaction
        self._clock = clock
        self._checks = metrics.checks

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def find(self, token: TokenHash) -> Found | None:
        try:
            found = await self._store.find(token)
        except StoreUnavailable:
            self._checks["failed"] += 1
            raise
        self._checks[outcome_of(found, self._clock.now())] += 1
        return found


def outcome_of(found: Found | None, now: Instant) -> str:
    """`unknown`, `disabled`, or the state of the session: live, ended, revoked, idle, ..."""
    if found is None:
        return "unknown"
    if not found.subject.enabled:
        return "disabled"
    state = state_of(found.session, now, found.revoked_before)
    stale = state is State.LIVE and not token_counts(found.session, now)
    return State.EXPIRED if stale else state
