"""SessionGuard: checks sessions in the application's own process, and forgets when it must."""

import asyncio
import logging
import random
import ssl as tls
from collections.abc import Coroutine
from contextlib import aclosing, suppress
from dataclasses import dataclass
from hashlib import sha256
from math import inf
from typing import Any, Self

from lastcall.client.authority import Authority, HttpAuthority
from lastcall.client.cache import REFUSED_SECONDS, Cache, Entry, Kept, Question
from lastcall.client.clock import Clock, since_boot
from lastcall.client.feed import Position
from lastcall.client.identity import CannotKnow, Identity, Verdict
from lastcall.client.waits import Waits

log = logging.getLogger("lastcall.client")

LONGEST_TOKEN = 8 * 1024
"""Characters; what is longer is refused unasked."""

TRIES = 3
"""Questions about one token while things keep happening to it."""

IN_FLIGHT = 64
WAITING = 4_096
"""Questions at once, and those that wait for their turn; more than that cannot be answered."""

GLANCE = 0.02
"""Seconds until what was not to be remembered is asked for again by who watches; then doubling."""

USES_IN_FLIGHT = 64
USE_AGAIN = 1.0
"""Seconds until a use that could not be told is tried again, with the next use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """`following`: answers come from memory. `lease` is what is left of it, in seconds."""

    following: bool
    lease: float
    position: Position | None
    entries: int


class SessionGuard:
    """Answers from memory while it follows the authority's feed, and asks the authority otherwise.

    `lease`, in seconds, is how long after a logout at the authority this process may still let
    somebody in if the feed is cut; while it is not, a logout counts within milliseconds.
    `entries` bounds the memory. Tokens are remembered by their SHA-256 alone.

    It belongs to the event loop it is first used in, and begins anew in another once that one is
    closed; `ThreadedGuard` is for programs without one, or with several. Begin and end it with
    `async with`, or `close` it; it starts by itself when it is asked.
    """

    def __init__(
        self,
        url: str = "",
        service: str = "",
        secret: str = "",
        *,
        lease: float = 2.0,
        entries: int = 100_000,
        patience: float = 2.0,
        ssl: tls.SSLContext | None = None,
        authority: Authority | None = None,
        clock: Clock = since_boot,
    ) -> None:
        """`patience`: seconds for one answer of the authority."""
        if not (0 < lease < inf and entries >= 1 and 0 < patience < inf):
            raise ValueError("lease, entries and patience must be above zero, and have an end")
        self.lease = lease
        self._entries = entries
        self._authority = authority or HttpAuthority(url, service, secret, ssl)
        self._clock = clock
        self._patience = patience
        self._closed = False
        self._begin()

    def _begin(self) -> None:
        """With nothing remembered. What is made here cannot be had in two event loops."""
        self._cache = Cache(self._entries)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._uses = 0
        self._asks: dict[tuple[bytes, bool], tuple[float, asyncio.Task[Identity | None]]] = {}
        self._turns = asyncio.Semaphore(IN_FLIGHT)
        self._rechecks = asyncio.Semaphore(IN_FLIGHT // 2)
        self._renew_now = asyncio.Event()
        self._leased = asyncio.Event()
        self._answered_at = self._failed_at = -inf
        self._follower: asyncio.Task[None] | None = None
        self._lapse: asyncio.TimerHandle | None = None

    # --- checking ---

    def check_now(self, token: str, *, use: bool = True) -> Identity | Verdict:
        """From memory alone, from any thread: who it is, `REFUSED`, or `UNKNOWN`."""
        now = self._clock()
        try:
            key = sha256(token.encode()).digest()
        except UnicodeEncodeError:
            return Verdict.REFUSED
        cache = self._cache
        entry = cache.entries.get(key)
        if entry is None:
            if now < cache.refused.get(key, -REFUSED_SECONDS) + REFUSED_SECONDS:
                return Verdict.REFUSED
            return _unaskable(token)
        if now >= cache.lease_until or now >= entry.until or not entry.herd.alive:
            return Verdict.UNKNOWN
        entry.hot = True
        if use and now >= entry.use_at:
            self._tell_use(token, entry, now)
        return entry.identity

    async def check(self, token: str, *, use: bool = True) -> Identity | None:
        """Who it is, or None for a token that does not count. Raises `CannotKnow`.

        It counts as a use of the session unless told otherwise.
        """
        if self._loop is not None and self._loop.is_closed():
            self._begin()
        found = self.check_now(token, use=use)
        if isinstance(found, Identity):
            return found
        if found is Verdict.REFUSED:
            return None
        return await self._ask(token, use)

    async def ended(self, token: str) -> Verdict:
        """Return once the session does not count any more, or that cannot be known (`UNKNOWN`).

        For what outlives a request, such as a WebSocket. Watching is no use of the session.
        """
        missed = 0
        while True:
            since = self._clock()
            try:
                async with self._rechecks:
                    if self._failed_at > max(since, self._answered_at):
                        return Verdict.UNKNOWN  # and so it would end for all who wait for a turn
                    if await self.check(token, use=False) is None:
                        return Verdict.REFUSED
            except CannotKnow:
                return Verdict.UNKNOWN
            key = sha256(token.encode()).digest()
            missed = 0 if await self._doubt(key, missed) else missed + 1

    async def _doubt(self, key: bytes, missed: int) -> bool:
        """Until the answer about it is not to be relied on any longer; False if there was none."""
        doubted = asyncio.Event()
        call = doubted.set
        entry = self._cache.watch(key, call)
        now = self._clock()
        if now >= self._cache.lease_until:
            wait = self.lease
        elif entry is None:
            wait = min(self.lease, GLANCE * 2**missed)
        else:
            wait = max(0.0, entry.until - now)
        try:
            await _within(doubted, wait)
        finally:
            self._cache.unwatch(key, call)
        return entry is not None

    def accepted(self, subject: str) -> list[Identity]:
        """The sessions of a subject, in whatever tenant, that memory would let in now.

        Looks through all there is: for tests and for operators.
        """
        now = self._clock()
        if now >= self._cache.lease_until:
            return []
        some = [
            one for one in list(self._cache.entries.values()) if one.identity.subject == subject
        ]
        return [one.identity for one in some if now < one.until and one.herd.alive]

    # --- asking ---

    async def _ask(self, token: str, use: bool) -> Identity | None:
        """Together with whoever asks the same, if that was asked less than a lease ago."""
        if self._closed:
            raise CannotKnow("the guard was closed")
        self._start()
        key = sha256(token.encode()).digest()
        sent, task = self._asks.get((key, use), (0.0, None))
        if task is None or self._clock() >= sent + self.lease:
            if len(self._asks) >= WAITING:
                raise CannotKnow("too many questions to the authority are waiting")
            task = asyncio.create_task(self._asked(token, key, use))
            one = self._clock(), task
            self._asks[key, use] = one
            task.add_done_callback(lambda _: self._answered((key, use), one))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise CannotKnow("the guard was closed") from None
            raise

    def _answered(
        self, of: tuple[bytes, bool], one: tuple[float, asyncio.Task[Identity | None]]
    ) -> None:
        if self._asks.get(of) is one:
            del self._asks[of]
        if one[1].cancelled():
            return
        if one[1].exception() is None:  # whoever waited may have left
            self._answered_at = self._clock()
        else:
            self._failed_at = self._clock()

    async def _asked(self, token: str, key: bytes, use: bool) -> Identity | None:
        try:
            async with asyncio.timeout(self._patience), self._turns:
                for _ in range(TRIES):
                    question = Question(key, self._cache.applied, self._clock(), use)
                    answer = await self._authority.introspect(
                        token, question.applied, use=use, seconds=self._patience
                    )
                    kept = self._cache.keep(question, answer, self._clock())
                    if kept is not Kept.DOUBTFUL:
                        return answer.identity
        except TimeoutError as error:
            raise CannotKnow("the authority did not answer in time") from error
        except ValueError as error:
            raise CannotKnow(str(error)) from error
        except CannotKnow:
            raise
        except Exception as error:  # nobody gets in, or stays, by what was not foreseen
            what = type(error).__name__
            log.error("a question failed: %s", what)
            raise CannotKnow(f"the question failed: {what}") from error
        raise CannotKnow("it changes faster than it can be asked for")

    def _tell_use(self, token: str, entry: Entry, now: float) -> None:
        entry.use_at = now + USE_AGAIN
        if self._loop is not None:
            with suppress(RuntimeError):  # a loop that has been closed
                self._loop.call_soon_threadsafe(self._use, token)

    def _use(self, token: str) -> None:
        if self._uses < USES_IN_FLIGHT:
            self._uses += 1
            self._keep_going(self._used(token))

    async def _used(self, token: str) -> None:
        try:
            with suppress(CannotKnow):
                await self._ask(token, True)
        finally:
            self._uses -= 1

    # --- following ---

    def _start(self) -> None:
        loop = asyncio.get_running_loop()
        if self._loop is loop:
            return
        if self._loop is not None:
            raise RuntimeError("this guard belongs to another event loop; take a ThreadedGuard")
        self._loop = loop
        self._keep_going(self._renew())
        self._keep_going(self._keep_following())

    def _keep_going(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _keep_following(self) -> None:
        waits = Waits()
        try:
            while True:
                self._follower = self._keep_going(self._follow(waits))
                await asyncio.wait({self._follower})
                if not self._follower.cancelled() and (error := self._follower.exception()):
                    log.error("the feed could not be followed", exc_info=error)
                await asyncio.sleep(waits.next())
        except asyncio.CancelledError:  # loops end without anybody closing what lives in them
            await self._authority.close()
            raise

    async def _follow(self, waits: Waits) -> None:
        try:
            async with aclosing(self._authority.feed(self._cache.applied)) as events:
                async for event in events:
                    before = self._cache.applied
                    self._cache.apply(event)
                    waits.reset()
                    if before is None or before.epoch != event.at.epoch:
                        self._renew_now.set()
                    self._watch_lapse()
        except (CannotKnow, ValueError) as error:
            log.debug("the feed ended: %s", error)

    async def _renew(self) -> None:
        waits = Waits()
        while True:
            wait = self.lease * random.uniform(0.2, 0.3)  # noqa: S311  # against all at once
            self._renew_now.clear()
            sent = self._clock()
            try:
                position = await self._authority.position(self.lease)
            except CannotKnow as error:
                wait = min(waits.next(), self.lease)
                log.debug("the lease is not renewed: %s", error)
            except Exception:
                wait = min(waits.next(), self.lease)
                log.exception("the lease could not be renewed")
            else:
                waits.reset()
                self._cache.renew(position, sent + self.lease)
                self._watch_lapse()
                if self._cache.behind(self._clock()) and self._follower is not None:
                    self._follower.cancel()
            await _within(self._renew_now, wait)

    def _watch_lapse(self) -> None:
        """Whoever watches a session is told when the lease runs out, not only when it is asked."""
        left = self._cache.lease_until - self._clock()
        if left > 0.0 and self._lapse is None:
            self._leased.set()
            self._lapse = asyncio.get_running_loop().call_later(left + 0.001, self._lapsed)

    def _lapsed(self) -> None:
        self._lapse = None
        self._watch_lapse()
        if self._lapse is None:
            self._cache.wake_all()

    # --- beginning and end ---

    @property
    def standing(self) -> Standing:
        left = max(0.0, self._cache.lease_until - self._clock())
        return Standing(
            following=left > 0.0,
            lease=left,
            position=self._cache.applied,
            entries=len(self._cache.entries),
        )

    async def start(self, within: float = 0.0) -> bool:
        """Begin to follow, and wait so many seconds for the first lease; whether there is one.

        Without one it works as well, and asks for every check. One that was closed begins anew.
        """
        if self._closed or (self._loop is not None and self._loop.is_closed()):
            self._begin()
            self._closed = False
        self._start()
        await _within(self._leased, within)
        return self.standing.following

    async def close(self) -> None:
        """It answers nothing any more that it would have to ask for, until it is started again."""
        self._closed = True
        if self._lapse is not None:
            self._lapse.cancel()
        tasks = [*self._tasks, *(task for _, task in self._asks.values())]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._authority.close()

    async def __aenter__(self) -> Self:
        await self.start(within=self._patience)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


async def _within(event: asyncio.Event, seconds: float) -> None:
    """Python 3.11's `wait_for` forgets that it was cancelled when both happen at once."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


def _unaskable(token: str) -> Verdict:
    """A token nobody could have been given is refused unasked."""
    bad = not token or len(token) > LONGEST_TOKEN or not token.isascii()
    return Verdict.REFUSED if bad else Verdict.UNKNOWN
