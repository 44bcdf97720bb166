"""Agents: the texts that many sessions share, on disk once, known by their numbers."""

from collections.abc import Iterable, Mapping

import msgspec
from apsw import Connection

from lastcall.domain.session import Device, Session
from lastcall.rows import Agent, json
from lastcall.stores.sqlite.tables import Statement

ADD_AGENT = "INSERT INTO agents VALUES (?, ?, ?, ?)"
ALL = "SELECT id, host, user_agent, device FROM agents"
FORGET = "DELETE FROM agents WHERE id NOT IN (SELECT agent FROM sessions)"

MANY = 20_000
"""Agents on disk from which on those that no session has any longer are looked for at the start."""


def agents_in(db: Connection) -> Mapping[int, Agent]:
    return {
        number: (host, user_agent, msgspec.json.decode(device, type=Device))
        for number, host, user_agent, device in db.execute(ALL)
    }


def forget_unused(db: Connection) -> None:
    if db.execute("SELECT count(*) FROM agents").get > MANY:
        db.execute(FORGET)


class Agents:
    """The numbers, for whoever writes sessions. Those of a unit that is given up are taken back."""

    def __init__(self, known: Mapping[int, Agent]) -> None:
        self._numbers = {agent: number for number, agent in known.items()}
        self._last = max(known, default=0)
        self._new: list[tuple[int, Agent]] = []

    def number(self, session: Session) -> int:
        agent = session.host, session.user_agent, session.device
        number = self._numbers.get(agent)
        if number is None:
            self._last += 1
            number = self._numbers[agent] = self._last
            self._new.append((number, agent))
        return number

    def new(self) -> Iterable[Statement]:
        """What writes those that were not known before."""
        return [
            (ADD_AGENT, (number, host, user_agent, json(device)))
            for number, (host, user_agent, device) in self._new
        ]

    def keep(self) -> None:
        self._new.clear()

    def give_up(self) -> None:
        for _, agent in self._new:
            del self._numbers[agent]
        self._new.clear()
