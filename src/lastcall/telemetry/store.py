"""A store whose transactions are traced: the wait for a turn, what is done, and the commit."""

from contextlib import AbstractAsyncContextManager, AbstractContextManager
from types import TracebackType
from typing import Any, cast

from lastcall.domain.audit import Event
from lastcall.domain.errors import AuthorityError
from lastcall.domain.logout import Revocation
from lastcall.domain.types import TenantId
from lastcall.ports import Store, Transaction
from lastcall.ports.tracing import Span, Tracer


def traced(store: Store, tracer: Tracer) -> Store:
    """The same store, which tells what its transactions do."""
    return cast(Store, _TracedStore(store, tracer))


class _TracedStore:
    """Begins transactions itself; everything else is asked of the store."""

    def __init__(self, store: Store, tracer: Tracer) -> None:
        self._store = store
        self._tracer = tracer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def transaction(self, tenant: TenantId) -> "_Turn":
        return _Turn(self._store.transaction(tenant), self._tracer)


class _Turn:
    """One span for the whole, named after what is put on record, with parts for its waits."""

    def __init__(self, turn: AbstractAsyncContextManager[Transaction], tracer: Tracer) -> None:
        self._turn = turn
        self._tracer = tracer
        self._whole: AbstractContextManager[Span] = tracer.step("transaction")
        self._span: Span | None = None

    async def __aenter__(self) -> Transaction:
        self._span = self._whole.__enter__()
        try:
            with self._tracer.step("wait for the turn"):
                tx = await self._turn.__aenter__()
        except BaseException as error:
            self._leave(error)
            raise
        return cast(Transaction, _TracedTransaction(tx, self._span, self._tracer))

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            with self._tracer.step("commit"):
                await self._turn.__aexit__(kind, error, trace)
        except BaseException as failure:
            self._leave(failure)
            raise
        self._leave(error)

    def _leave(self, error: BaseException | None) -> None:
        if error is not None and self._span is not None:
            told = error.code if isinstance(error, AuthorityError) else type(error).__name__
            self._span.failed(told)
        self._whole.__exit__(None, None, None)


class _TracedTransaction:
    def __init__(self, tx: Transaction, span: Span, tracer: Tracer) -> None:
        self._tx = tx
        self._span = span
        self._tracer = tracer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tx, name)

    async def record(self, event: Event) -> None:
        self._span.named(event.action)
        self._span.tell("lastcall.outcome", event.outcome)
        await self._tx.record(event)

    async def add_revocation(self, revocation: Revocation) -> None:
        self._tracer.began(revocation.id)
        await self._tx.add_revocation(revocation)
