"""Why this program could not start."""


class CannotStart(Exception):
    """Something outside this program is in the way; the text says what."""


class StoreRestored(CannotStart):
    """The database is older than its witness: an operator has to decide."""
