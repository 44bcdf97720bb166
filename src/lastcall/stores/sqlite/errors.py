"""Why a database is not opened; each message tells the operator what to do."""

from lastcall.domain.errors import StoreUnavailable


class StoreInUse(StoreUnavailable):
    """Another process has the database open."""


class NotOurs(StoreUnavailable):
    """The file is no database of Lastcall, or one of a newer version."""


class RolledBack(StoreUnavailable):
    """The database is older than its witness, or has another history: a backup, or a torn disk.

    Sessions ended since then would live again, so nothing is served until an operator decides.
    """
