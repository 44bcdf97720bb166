"""Ports that let something else happen in the middle of a request."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from lastcall.domain.types import Instant, ReceiptId, SessionId, TenantId, TokenHash
from lastcall.ports import Found, Passwords, Store, Transaction

Happening = Callable[[], Awaitable[object]]


class InterposedStore:
    """Before the `at`-th look at the store, counted from 1, lets `happening` happen once.

    A look is a transaction or a check of a token. What happens uses the store beneath, and is
    whole before the request goes on.
    """

    def __init__(self, beneath: Store, at: int, happening: Happening) -> None:
        self.beneath = beneath
        self.left = at
        self.happening = happening

    @property
    def happened(self) -> bool:
        return self.left <= 0

    async def _look(self) -> None:
        self.left -= 1
        if self.left == 0:
            await self.happening()

    @asynccontextmanager
    async def transaction(self, tenant: TenantId) -> AsyncIterator[Transaction]:
        await self._look()
        async with self.beneath.transaction(tenant) as tx:
            yield tx

    async def find(self, token: TokenHash) -> Found | None:
        await self._look()
        return await self.beneath.find(token)

    def touch(self, found: Found, at: Instant) -> None:
        self.beneath.touch(found, at)

    async def unswept(self) -> Sequence[tuple[TenantId, ReceiptId]]:
        return await self.beneath.unswept()

    async def past_deadline(self, now: Instant, limit: int) -> Sequence[tuple[TenantId, SessionId]]:
        return await self.beneath.past_deadline(now, limit)

    async def live_sessions(self) -> int:
        return await self.beneath.live_sessions()

    async def close(self) -> None:
        await self.beneath.close()


class InterposedPasswords:
    """Lets `happening` happen once, before or after a password is judged."""

    def __init__(self, beneath: Passwords, happening: Happening, *, after: bool) -> None:
        self.beneath = beneath
        self.happening: Happening | None = happening
        self.after = after

    async def hash(self, digest: str) -> str:
        return await self.beneath.hash(digest)

    async def verify(self, encoded: str, digest: str) -> bool:
        if not self.after:
            await self._happen()
        good = await self.beneath.verify(encoded, digest)
        if self.after:
            await self._happen()
        return good

    async def _happen(self) -> None:
        happening, self.happening = self.happening, None
        if happening is not None:
            await happening()
