"""Adopting sessions from a record: a million rows into an index, without making them Sessions."""

import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec

from lastcall.domain.factor import Method
from lastcall.domain.types import Kind
from lastcall.index.held import Held, Profile, pack
from lastcall.index.tables import Index
from lastcall.rows import Agent, Row, end_of, session_of

Progress = Callable[[int, int], None]
"""Told how many sessions have been read, of how many."""

TELL_EVERY = 50_000


@contextmanager
def undisturbed() -> Iterator[None]:
    """Without the garbage collector, which would go through all that is read again and again."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


class _Proven(msgspec.Struct, gc=False):
    """What JSON holds of a factor, in the quickest form."""

    method: Method
    at: int
    context: str = ""


_proven = msgspec.json.Decoder(list[_Proven]).decode


class Adoption:
    """Takes rows in the order of tenant and serial. `agents` are hosts, user agents and devices."""

    def __init__(self, index: Index, agents: Mapping[int, Agent]) -> None:
        self._index = index
        self._agents = agents
        self._profiles: dict[Any, Profile] = {}

    def add(self, row: Row) -> None:
        """Of what `session_of` reads, and the number of the agent behind it.

        Most rows are plain: without a refresh token, without applications, from one place.
        """
        tenant, serial, id_, subject, token, dialect, kind, address, port, factors, *more = row
        created, last_seen, idle, expires, *rare, at, why, by, agent = more
        plain = rare == _NOTHING_RARE
        sort, proven = [tenant, agent, dialect, kind, idle, expires - created], []
        for factor in _proven(factors):
            sort.append(factor.method)
            proven.append(factor.at)
            plain = plain and not factor.context
        try:
            own = pack(serial, created, last_seen, address, port, proven)
        except OverflowError:
            plain = False
        if not plain:
            session = session_of(row, self._agents[agent])
            self._index.place(session.tenant, None, session)
            return
        key = tuple(sort)
        profile = self._profiles.get(key) or self._profile(key)
        shelf = self._index.shelf(tenant)
        owner = shelf.subjects.get(subject)
        held = Held(
            id_,
            token,
            subject if owner is None else owner.id,
            profile,
            own,
            None if at is None else end_of(at, why, by),
        )
        shelf.adopt(held, serial, expires if idle is None else min(expires, last_seen + idle))

    def _profile(self, key: tuple[Any, ...]) -> Profile:
        tenant, agent, dialect, kind, idle, length, *methods = key
        known = (tenant, dialect, Kind(kind), *self._agents[agent], idle, length, tuple(methods))
        profile = self._profiles[key] = self._index.profiles.profile(known)
        return profile


_NOTHING_RARE = [None, None, b"", "[]", None]
"""Of the tokens, the applications and whoever sits in another's place."""
