"""The schema of the store: whether this version can use it, and bringing it up to date."""

from lastcall.domain.errors import StoreUnavailable
from lastcall.main.errors import CannotStart
from lastcall.main.record import server_of, where
from lastcall.ports.schema import Schema
from lastcall.settings import Configured
from lastcall.stores import postgres, sqlite


async def schema(configured: Configured, *, up: bool) -> tuple[str, Schema]:
    """Where the store is, and its schema, with `up` after the missing steps. Raises
    `CannotStart`."""
    try:
        if configured.settings.store.on_postgres:
            found = await postgres.schema_of(server_of(configured), up=up)
        else:
            found = sqlite.schema_of(configured.store, up=up)
    except StoreUnavailable as error:
        raise CannotStart(str(error)) from error
    return where(configured), found
