"""The default store: SQLite keeps what the index decides."""

from lastcall.stores.sqlite.copying import SqliteBackups
from lastcall.stores.sqlite.errors import NotOurs, StoreInUse
from lastcall.stores.sqlite.schema import schema_of
from lastcall.stores.sqlite.store import SqliteStore
from lastcall.witness import RolledBack

__all__ = ["NotOurs", "RolledBack", "SqliteBackups", "SqliteStore", "StoreInUse", "schema_of"]
