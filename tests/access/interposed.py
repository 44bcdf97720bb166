"""Ports that let something else happen in the middle of a request."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from lastcall.domain.types import TenantId, TokenHash
from lastcall.ports import Found, Passwords
from lastcall.stores.memory import MemoryStore

Happening = Callable[[], Awaitable[object]]


class InterposedStore(MemoryStore):
    """Once armed, lets `happening` happen before the `at`-th look from then on, counted from 1.

    A look is a transaction or a check of a token. What happens is whole before the request goes
    on, and its own looks do not count.
    """

    def __init__(self) -> None:
        super().__init__()
        self._left = 0
        self._happening: Happening | None = None
        self.happened = False

    def arm(self, at: int, happening: Happening) -> None:
        self._left, self._happening, self.happened = at, happening, False

    def disarm(self) -> None:
        self._happening = None

    async def _look(self) -> None:
        self._left -= 1
        if self._left == 0 and self._happening is not None:
            happening, self._happening = self._happening, None
            await happening()
            self.happened = True

    def transaction(self, tenant: TenantId) -> Any:
        return self._looked_at(tenant)

    @asynccontextmanager
    async def _looked_at(self, tenant: TenantId) -> AsyncIterator[Any]:
        await self._look()
        async with super().transaction(tenant) as tx:
            yield tx

    async def find(self, token: TokenHash) -> Found | None:
        await self._look()
        return await super().find(token)


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
