"""Adopting sessions from a record: a million rows into an index, without making them Sessions."""

import gc
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from operator import itemgetter
from typing import Any

import msgspec

from lastcall.domain.factor import Method
from lastcall.domain.types import Instant, Kind, SubjectId, TenantId
from lastcall.index.held import Held, Profile, hold, pack, place_of
from lastcall.index.shelf import Shelf
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


_proven = msgspec.json.Decoder(list[list[_Proven]]).decode

Sort = tuple[Any, ...]
"""All of what a profile is made of but the agent: there are few, and to compare them is slow."""


class Adoption:
    """Takes rows in the order of tenant and serial. `agents` are hosts, user agents and devices."""

    def __init__(self, index: Index, agents: Mapping[int, Agent]) -> None:
        self._index = index
        self._agents = agents
        self._profiles: defaultdict[Sort, dict[int, Profile]] = defaultdict(dict)
        self._room = bytearray()

    def add(self, rows: Sequence[Row]) -> None:
        """Of what `session_of` reads, and the number of the agent behind it."""
        for tenant, some in _by_tenant(rows):
            shelf = self._index.shelf(tenant)
            shelf.adopt_all(self._held(shelf, some))

    def _held(self, shelf: Shelf, rows: Sequence[Row]) -> Iterator[tuple[Held, Instant]]:
        """Each with its deadline.

        Most rows are plain: without a refresh token, without applications, from one place.
        """
        subjects, profiles, room = shelf.subjects, self._profiles, self._room
        for row, factors in zip(rows, _factors_in(rows), strict=True):
            (
                tenant, serial, id_, subject, token, dialect, kind, address, port, _,
                created, last_seen, idle, expires, until, refresh, spent, joined, sitter,
                at, why, by, agent,
            ) = row  # fmt: skip
            sort: Sort = tenant, dialect, kind, idle, expires - created
            own: tuple[Any, ...] = serial, created, last_seen - created, place_of(address), port
            plain = until is refresh is sitter is None and joined == "[]" and not spent
            for factor in factors:
                sort += (factor.method,)
                own += (created - factor.at,)
                plain = plain and not factor.context
            owner = subjects.get(subject)
            whose = subject if owner is None else owner.id
            try:
                packed = pack(own, room) if plain else None
            except OverflowError:
                packed = None
            if packed is None:
                yield self._rare(shelf, row, whose)
                continue
            try:
                profile = profiles[sort][agent]
            except KeyError:
                profile = self._profile(sort, agent)
            end = None if at is None else end_of(at, why, by)
            deadline = expires
            if idle is not None and last_seen + idle < expires:
                deadline = last_seen + idle
            yield Held(id_, token, whose, profile, packed, end), deadline

    def _rare(self, shelf: Shelf, row: Row, whose: SubjectId) -> tuple[Held, Instant]:
        session = session_of(row, self._agents[row[-1]])
        held = hold(self._index.profiles, session, whose)
        shelf.list_rare(held, session)
        return held, session.deadline

    def _profile(self, sort: Sort, agent: int) -> Profile:
        tenant, dialect, kind, idle, length, *methods = sort
        known = (tenant, dialect, Kind(kind), *self._agents[agent], idle, length, tuple(methods))
        profile = self._profiles[sort][agent] = self._index.profiles.profile(known)
        return profile


def _by_tenant(rows: Sequence[Row]) -> Iterable[tuple[TenantId, Sequence[Row]]]:
    if rows[0][0] == rows[-1][0]:
        return [(rows[0][0], rows)]
    return ((tenant, list(some)) for tenant, some in groupby(rows, itemgetter(0)))


def _factors_in(rows: Sequence[Row]) -> list[list[_Proven]]:
    """All in one text, which is read more quickly than each by itself."""
    return _proven(f"[{','.join([row[9] for row in rows])}]")
