"""What is known of the schema of a store that is not open."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """`version` is the store's, 0 where there is none yet, `newest` the one this version makes.

    `taken` are the steps taken just now. `why` says why a start would refuse it; empty if not.
    """

    version: int
    newest: int
    taken: tuple[int, ...] = ()
    why: str = ""
