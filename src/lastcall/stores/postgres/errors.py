"""Why a database is not used, or not any longer; each message tells the operator what to do."""

from lastcall.domain.errors import StoreUnavailable


class SchemaWrong(StoreUnavailable):
    """The schema is older than this version needs, or newer than it can read."""


class NameTaken(StoreUnavailable):
    """Another node of this name is alive."""


class NotShared(StoreUnavailable):
    """This node lacks something that all nodes must have the same."""
