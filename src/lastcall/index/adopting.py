"""Adopting sessions from a record: a million rows into an index, without making them Sessions."""

from collections.abc import Mapping
from typing import Any

import msgspec

from lastcall.domain.factor import Factor, Method
from lastcall.domain.session import Device, End, Participant, Session
from lastcall.domain.types import EndReason, Instant, Kind, TenantId, TokenHash
from lastcall.index.held import Held, Profile, pack
from lastcall.index.tables import Index

Row = tuple[Any, ...]
"""tenant, agent, dialect, kind, idle, serial, id, subject, token_hash, address, port, factors,
created, last_seen, expires, ended_at, ended_why, ended_by, token_expires, refresh_hash, spent,
participants, impersonator: `agent` is a number, factors and participants are JSON texts."""


class _Proven(msgspec.Struct, gc=False):
    """What JSON holds of a factor, in the quickest form."""

    method: Method
    at: int
    context: str = ""


_proven = msgspec.json.Decoder(list[_Proven]).decode
_factors = msgspec.json.Decoder(tuple[Factor, ...]).decode
_participants = msgspec.json.Decoder(tuple[Participant, ...]).decode


class Adoption:
    """Takes rows in the order of tenant and serial. `agents` are hosts, user agents and devices."""

    def __init__(self, index: Index, agents: Mapping[int, tuple[str, str, Device]]) -> None:
        self._index = index
        self._agents = agents
        self._profiles: dict[Any, Profile] = {}
        self._ends: dict[Any, End] = {}

    def add(self, row: Row) -> None:
        """Most rows are plain: without a refresh token, without applications, from one place."""
        (tenant, agent, dialect, kind, idle, serial, id_, subject, token, address, port) = row[:11]
        factors, created, last_seen, expires, at, why, by, *more = row[11:]
        length = expires - created
        sort, proven = [tenant, agent, dialect, kind, idle, length], []
        for factor in _proven(factors):
            sort.append(factor.method)
            proven.append(factor.at)
            if factor.context:
                more = [factor]
        try:
            own = pack(serial, created, last_seen, address, port, proven)
        except OverflowError:
            more = [row]
        if more != _NOTHING_MORE:
            self._add_whole(row)
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
            None if at is None else self._end(at, why, by),
        )
        shelf.adopt(held, serial, expires if idle is None else min(expires, last_seen + idle))

    def _profile(self, key: tuple[Any, ...]) -> Profile:
        tenant, agent, dialect, kind, idle, length, *methods = key
        known = (tenant, dialect, Kind(kind), *self._agents[agent], idle, length, tuple(methods))
        profile = self._profiles[key] = self._index.profiles.profile(known)
        return profile

    def _add_whole(self, row: Row) -> None:
        (tenant, agent, dialect, kind, idle, serial, id_, subject, token, address, port) = row[:11]
        factors, created, last_seen, expires, at, why, by, *more = row[11:]
        token_expires, refresh_hash, spent, participants, impersonator = more
        host, user_agent, device = self._agents[agent]
        session = Session(
            id=id_,
            tenant=tenant,
            subject=subject,
            token_hash=token,
            serial=serial,
            dialect=dialect,
            kind=Kind(kind),
            address=address,
            port=port,
            host=host,
            user_agent=user_agent,
            device=device,
            factors=_factors(factors),
            created=created,
            last_seen=last_seen,
            idle=idle,
            expires=expires,
            token_expires=token_expires,
            refresh_hash=refresh_hash,
            spent=tuple(TokenHash(spent[at : at + 32]) for at in range(0, len(spent), 32)),
            participants=_participants(participants),
            impersonator=impersonator,
            ended=None if at is None else self._end(at, why, by),
        )
        self._index.place(TenantId(tenant), None, session)

    def _end(self, at: int, why: str, by: Any) -> End:
        """Sessions that ended by one revocation share it."""
        end = self._ends.get((at, why, by))
        if end is None:
            end = self._ends[at, why, by] = End(at=Instant(at), why=EndReason(why), by=by)
        return end


_NOTHING_MORE = [None, None, b"", "[]", None]
