"""The revocation feed as a guard reads it: positions, events, and server-sent events' bytes."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from lastcall.client.identity import Identity

LONGEST_EVENT = 4 * 1024 * 1024
"""Bytes of one event; the authority keeps them far below."""

WRITTEN = re.compile(r"([A-Za-z0-9_-]{1,64}):([0-9]{1,18})", re.ASCII)


class Unreadable(ValueError):
    """What came is not what the authority's reference describes."""


class Position(NamedTuple):
    """How far the feed has come. Two positions compare only within one epoch."""

    epoch: str
    seq: int

    @classmethod
    def read(cls, text: Any) -> "Position":
        found = WRITTEN.fullmatch(text) if isinstance(text, str) else None
        if found is None:
            raise Unreadable("not a position")
        return cls(found[1], int(found[2]))

    def __str__(self) -> str:
        return f"{self.epoch}:{self.seq}"


class Scope(NamedTuple):
    """Everything of a tenant, or of it what has this subject, this dialect, or both."""

    tenant: str
    subject: str | None = None
    dialect: str | None = None

    def covers(self, who: Identity) -> bool:
        return (
            self.tenant == who.tenant
            and self.subject in (None, who.subject, who.impersonator)
            and self.dialect in (None, who.dialect)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """What may be answered differently now; `tokens` are SHA-256 digests."""

    tokens: frozenset[bytes] = frozenset()
    sessions: frozenset[str] = frozenset()
    scopes: tuple[Scope, ...] = ()

    def concern(self, key: bytes, who: Identity) -> bool:
        return (
            key in self.tokens
            or who.session in self.sessions
            or any(scope.covers(who) for scope in self.scopes)
        )

    def __len__(self) -> int:
        return len(self.tokens) + len(self.sessions) + len(self.scopes)


@dataclass(frozen=True, slots=True)
class Forget:
    """`whole` on the last event of a change: only then has the feed come as far as `at`."""

    at: Position
    marks: Marks
    whole: bool


@dataclass(frozen=True, slots=True)
class Progress:
    at: Position


@dataclass(frozen=True, slots=True)
class Reset:
    at: Position


Event = Forget | Progress | Reset


class Events:
    """Takes a stream's bytes as they come, and gives its events. Raises `Unreadable`."""

    def __init__(self) -> None:
        self._rest = b""
        self._fields: dict[str, str] = {}
        self._size = 0

    def read(self, piece: bytes) -> Iterator[Event]:
        *lines, self._rest = (self._rest + piece).split(b"\n")
        for line in (line.removesuffix(b"\r") for line in lines):
            self._size += len(line)
            if self._size + len(self._rest) > LONGEST_EVENT:
                raise Unreadable("an event is too long")
            if line:
                self._take(line)
                continue
            fields, self._fields, self._size = self._fields, {}, 0
            if "data" in fields:
                yield _event(fields)
        if self._size + len(self._rest) > LONGEST_EVENT:
            raise Unreadable("an event is too long")

    def _take(self, line: bytes) -> None:
        try:
            name, _, value = line.decode("utf-8").partition(":")
        except UnicodeDecodeError as error:
            raise Unreadable("not UTF-8") from error
        value = value.removeprefix(" ")
        if name == "data" and "data" in self._fields:
            value = f"{self._fields['data']}\n{value}"
        if name:
            self._fields[name] = value


def _event(fields: dict[str, str]) -> Event:
    try:
        data = json.loads(fields["data"])
        at = Position.read(data["at"])
        match fields.get("event"):
            case "reset":
                return Reset(at)
            case "forget":
                return Forget(at, _marks(data), "id" in fields)
            case "position":
                return Progress(at)
            case _:  # who knows what it would have had us forget
                raise Unreadable("an unknown event")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Unreadable("not an event of the feed") from error


def _marks(data: dict[str, Any]) -> Marks:
    return Marks(
        tokens=frozenset(bytes.fromhex(one) for one in data.get("tokens", ())),
        sessions=frozenset(data.get("sessions", ())),
        scopes=tuple(
            Scope(one["tenant"], one.get("subject"), one.get("dialect"))
            for one in data.get("scopes", ())
        ),
    )
