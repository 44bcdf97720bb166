"""Connections: to whichever server of those named takes writes, with limits on every wait."""

import asyncio
import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, cast

import asyncpg

from lastcall.domain.errors import StoreUnavailable

TROUBLE = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
    EOFError,
)
"""What a database, the way to it, or a driver that lost its thread over it may raise; anything else
is a mistake of ours."""


NO_ADDRESS = (ValueError, OverflowError)
"""What the driver raises for a URL that it cannot read, with a part of it, maybe the password."""

ANEW = 0.5
"""Seconds after which another attempt to connect is begun."""


class Db(Protocol):
    """What is used of a connection of asyncpg's."""

    async def execute(self, sql: str, *values: object, **options: float) -> str: ...
    async def fetch(self, sql: str, *values: object, **options: float) -> Sequence[Any]: ...
    async def fetchrow(self, sql: str, *values: object, **options: float) -> Any: ...
    async def fetchval(self, sql: str, *values: object, **options: float) -> Any: ...
    def transaction(
        self, *, isolation: str | None = None, readonly: bool = False
    ) -> AbstractAsyncContextManager[None]: ...
    def cursor(self, sql: str, **options: float) -> Any: ...
    async def add_listener(self, channel: str, heard: Callable[..., None]) -> None: ...
    def add_log_listener(self, heard: Callable[..., None]) -> None: ...
    def is_closed(self) -> bool: ...
    def terminate(self) -> None: ...
    async def close(self, **options: float) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where the database is, and how long anything there may take, in seconds.

    `commits` is PostgreSQL's `synchronous_commit`; it is never off.
    """

    url: str = field(repr=False)
    password: str = field(default="", repr=False)
    commits: str = "on"
    setting: str = ""
    connecting: float = 3.0
    answering: float = 5.0
    turn: float = 1.0

    @property
    def shown(self) -> str:
        return shown(self.url)

    @property
    def at_once(self) -> "Server":
        """For what need not be durable each time: whoever reads asks for it where it matters."""
        return replace(self, setting="off")

    def within(self, lease: float) -> "Server":
        """Whoever holds the turn and says nothing for longer than this is thrown out."""
        return replace(self, turn=max(1.0, lease / 2))


def shown(url: str) -> str:
    """The URL without a password, and without parameters, one of which may be a password; nor does
    one show that should have been quoted in it, and was not."""
    scheme, _, rest = url.partition("://")
    who, at, place = rest.rpartition("@")
    user, where = re.split("[:/?#]", who)[0], re.split("[?#]", place)[0]
    return f"{scheme}://{user}{at}{where}"


async def connect(server: Server, purpose: str) -> Db:
    """To the first of its hosts that takes writes. Raises what `TROUBLE` lists.

    They are asked in their order, but none waits long for one before it: a machine that is gone
    does not say so.
    """
    left = deque(each_host(server.url))
    trying: set[asyncio.Task[Db]] = set()
    failed: list[BaseException] = []
    try:
        while left or trying:
            if left:
                trying.add(asyncio.create_task(_connect_to(left.popleft(), server, purpose)))
            done, trying = await asyncio.wait(
                trying, timeout=ANEW if left else None, return_when=asyncio.FIRST_COMPLETED
            )
            found, errors = _sorted(done)
            failed += errors
            if found:
                trying.update(done - {found})
                return found.result()
    finally:
        await _let_go(trying)
    raise max(failed, key=_tells)


AUTHORITY_END = re.compile(r"[/?#]")


def each_host(url: str) -> list[str]:
    """A URL for each of the hosts that one names: `//who@a,b:5433/db` has two.

    Several are no URL to the standard library, which some of its versions say by raising.
    """
    scheme, slashes, rest = url.partition("://")
    place = AUTHORITY_END.split(rest, maxsplit=1)[0]
    who, at, hosts = place.rpartition("@")
    before, after = f"{scheme}{slashes}{who}{at}", rest[len(place) :]
    return [f"{before}{host}{after}" for host in hosts.split(",")]


def _sorted(done: set[asyncio.Task[Db]]) -> tuple[asyncio.Task[Db] | None, list[BaseException]]:
    errors = [error for one in done if (error := one.exception()) is not None]
    return next((one for one in done if one.exception() is None), None), errors


def _tells(error: BaseException) -> int:
    """What a server said tells more than that it is a standby, and that more than silence."""
    return isinstance(error, asyncpg.PostgresError) * 2 or not isinstance(error, OSError)


async def _let_go(trying: set[asyncio.Task[Db]]) -> None:
    for one in trying:
        one.cancel()
    for late in await asyncio.gather(*trying, return_exceptions=True):
        if not isinstance(late, BaseException):
            drop(late)


async def _connect_to(url: str, server: Server, purpose: str) -> Db:
    """Whoever connected to a server that takes no writes is let go."""
    settings: Mapping[str, str] = {
        "application_name": f"lastcall {purpose}"[:63],
        "synchronous_commit": server.setting or server.commits,
        "statement_timeout": _milliseconds(server.answering),
        "lock_timeout": _milliseconds(server.answering),
        "idle_in_transaction_session_timeout": _milliseconds(server.turn),
        "default_transaction_isolation": "read committed",
        "plan_cache_mode": "force_generic_plan",
        "tcp_user_timeout": _milliseconds(server.answering),
        "tcp_keepalives_idle": "5",
        "tcp_keepalives_interval": "5",
        "tcp_keepalives_count": "3",
    }
    more = {"password": server.password} if server.password else {}
    async with asyncio.timeout(2 * server.connecting):
        db = await asyncpg.connect(
            url,
            timeout=server.connecting,
            target_session_attrs="read-write",
            server_settings=dict(settings),
            statement_cache_size=512,
            **more,
        )
    return cast("Db", db)


async def connect_soon(server: Server, purpose: str) -> Db:
    """`connect`, tried anew beside what is under way for as long as nothing comes of it: what was
    sent into a network that had failed does not arrive when the network is back."""
    trying: set[asyncio.Task[Db]] = set()
    try:
        while True:
            trying.add(asyncio.create_task(connect(server, purpose)))
            done, _ = await asyncio.wait(trying, timeout=ANEW, return_when=asyncio.FIRST_COMPLETED)
            if done:
                first = min(done, key=lambda one: one.exception() is not None)
                trying.discard(first)
                return first.result()
    finally:
        await _let_go(trying)


def _milliseconds(seconds: float) -> str:
    return str(round(seconds * 1_000))


def drop(db: Db | None) -> None:
    """Close it without a word, and without asking the server to cancel what it is doing."""
    if db is not None and not db.is_closed():
        db.terminate()


async def close(db: Db | None) -> None:
    if db is not None and not db.is_closed():
        try:
            await db.close(timeout=2)
        except TROUBLE:
            db.terminate()


def unavailable(error: BaseException, doing: str) -> StoreUnavailable:
    """What a driver says may hold values of rows: only its kind goes further."""
    told = StoreUnavailable(f"the database: {doing}: {type(error).__name__}")
    told.__cause__ = error
    return told


class Warned:
    """Hears the warnings of one connection. A COMMIT that was warned of is no success: it may
    not have reached the standbys it should have waited for."""

    def __init__(self, db: Db) -> None:
        self.heard = 0
        db.add_log_listener(self._hear)

    def _hear(self, _db: object, message: object) -> None:
        severity = getattr(message, "severity_en", None) or getattr(message, "severity", "")
        if severity not in ("NOTICE", "INFO", "LOG", "DEBUG"):
            self.heard += 1
