"""Why a database is not opened; each message tells the operator what to do."""

from lastcall.domain.errors import StoreUnavailable


class StoreInUse(StoreUnavailable):
    """Another process has the database open."""


class NotOurs(StoreUnavailable):
    """The file is no database of Lastcall, or one of a newer version."""
