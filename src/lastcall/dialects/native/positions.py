"""Positions on the revocation feed as they stand on the wire, and answers that are not older."""

import re

from lastcall.dialects.native.problems import POSITION
from lastcall.dialects.native.settings import Settings
from lastcall.domain.errors import Invalid, StoreUnavailable
from lastcall.ports import Position
from lastcall.wire import Call

WRITTEN = re.compile(r"([A-Za-z0-9_-]{1,64}):([0-9]{1,18})", re.ASCII)


def written(position: Position) -> str:
    return f"{position.epoch}:{position.seq}"


def position_in(text: str, field: str) -> Position:
    """Raises `Invalid`."""
    found = WRITTEN.fullmatch(text)
    if found is None:
        raise Invalid(field, "is not a position")
    return Position(found[1], int(found[2]))


async def confirmed(call: Call[Settings]) -> Position | None:
    """Where the store is, for a caller that says how far it has come; None for one that does not.

    Raises `StoreUnavailable` when that is not as far as the caller: an answer would be too old.
    """
    sent = call.header(POSITION)
    if sent is None:
        return None
    asked = position_in(sent, POSITION)
    here = await call.env.store.feed.current()
    if here.epoch == asked.epoch and here.seq < asked.seq:
        raise StoreUnavailable("this node is behind the caller")
    return here
