"""Backups: how the store is copied while it is in use, where this program can do that."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from lastcall.domain.backup import Copied


class Draft(Protocol):
    """A copy that nobody can mistake for a backup yet; it goes away unless it is published."""

    copied: Copied

    async def describe(self, manifest: str) -> None:
        """Put the manifest beside the copy. Everything is on disk when this returns."""
        ...

    async def publish(self) -> None:
        """Give it its name, durably and whole."""
        ...


class Backups(Protocol):
    def draft(self, to: str) -> AbstractAsyncContextManager[Draft]:
        """Copy everything that is durable now, to become the new folder `to`.

        Checks and transactions go on meanwhile. Raises `Invalid` when `to` cannot be made, and
        `StoreUnavailable` when copying, describing or publishing fails.
        """
        ...
