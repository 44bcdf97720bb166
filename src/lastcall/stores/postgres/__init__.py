"""The PostgreSQL store: one database, any number of nodes, each with all rows in memory."""

from lastcall.stores.postgres.connecting import Server, shown
from lastcall.stores.postgres.errors import NameTaken, NotShared, SchemaWrong
from lastcall.stores.postgres.opening import open_store, schema_of
from lastcall.stores.postgres.reading import Name
from lastcall.stores.postgres.store import PostgresStore
from lastcall.witness import RolledBack

__all__ = [
    "Name",
    "NameTaken",
    "NotShared",
    "PostgresStore",
    "RolledBack",
    "SchemaWrong",
    "Server",
    "open_store",
    "schema_of",
    "shown",
]
