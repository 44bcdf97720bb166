"""A guard for programs without an event loop: it runs one in a thread of its own."""

import asyncio
import os
import threading
import weakref
from collections.abc import Coroutine
from concurrent.futures import CancelledError as FutureCancelled
from concurrent.futures import Future
from typing import Any, TypeVar

from lastcall.client.guard import SessionGuard, Standing
from lastcall.client.identity import CannotKnow, Identity, Verdict

T = TypeVar("T")

CLOSED = "the guard was closed"

_abandoned: list[object] = []
"""What a fork copied: its end would reach into what the parent still uses."""


class ThreadedGuard:
    """`SessionGuard` from any thread, with the same settings; the thread starts when it is needed.

    After a fork (a pre-forking server) the child begins anew, with nothing remembered. The thread
    ends with `close`, or when nobody has the guard any more.
    """

    def __init__(self, url: str = "", service: str = "", secret: str = "", **settings: Any) -> None:
        self._settings = {"url": url, "service": service, "secret": secret, **settings}
        self._begin()
        mine = weakref.WeakMethod(self._in_child)
        os.register_at_fork(after_in_child=lambda: (call := mine()) and call())

    def _in_child(self) -> None:
        _abandoned.append((self._guard, self._loop, self._thread))
        if self._end is not None:
            self._end.detach()
        self._begin()

    def _begin(self) -> None:
        self._guard = SessionGuard(**self._settings)
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._end: weakref.finalize[..., ThreadedGuard] | None = None
        self._closed = False

    def check_now(self, token: str, *, use: bool = True) -> Identity | Verdict:
        return self._guard.check_now(token, use=use)

    def check(self, token: str, *, use: bool = True) -> Identity | None:
        """Who it is, or None for a token that does not count. Raises `CannotKnow`."""
        found = self._guard.check_now(token, use=use)
        if isinstance(found, Identity):
            return found
        if found is Verdict.REFUSED:
            return None
        return _result(self.submit(token, use=use))

    async def check_async(self, token: str, *, use: bool = True) -> Identity | None:
        """The same for a coroutine in whatever loop it runs."""
        found = self._guard.check_now(token, use=use)
        if isinstance(found, Identity):
            return found
        if found is Verdict.REFUSED:
            return None
        future = self.submit(token, use=use)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            if self._closed and future.cancelled():
                raise CannotKnow(CLOSED) from None
            raise

    def submit(self, token: str, *, use: bool = True) -> "Future[Identity | None]":
        return self._run(self._guard.check(token, use=use))

    def accepted(self, subject: str) -> list[Identity]:
        """The sessions of a subject that memory would let in now."""

        async def asked() -> list[Identity]:
            return self._guard.accepted(subject)

        return _result(self._run(asked()))

    @property
    def standing(self) -> Standing:
        return self._guard.standing

    def start(self, within: float = 0.0) -> bool:
        """Begin to follow, and wait so many seconds for the first lease; whether there is one."""
        return _result(self._run(self._guard.start(within)))

    def close(self) -> None:
        """It answers nothing any more that it would have to ask for."""
        with self._lock:
            self._closed = True
            end, thread = self._end, self._thread
        if end is not None and thread is not None:
            end()
            thread.join()

    def __enter__(self) -> "ThreadedGuard":
        self.start(within=2.0)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        with self._lock:
            if self._closed:
                work.close()
                raise CannotKnow(CLOSED)
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=_turn, args=(self._loop,), name="lastcall-guard", daemon=True
                )
                self._thread.start()
                self._end = weakref.finalize(self, _stop, self._loop, self._guard)
                self._end.atexit = False
            return asyncio.run_coroutine_threadsafe(work, self._loop)


def _stop(loop: asyncio.AbstractEventLoop, guard: SessionGuard) -> None:
    """From any thread; whoever still waits for something is told that nobody knows."""

    async def stop() -> None:
        await guard.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        loop.stop()

    asyncio.run_coroutine_threadsafe(stop(), loop)


def _turn(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
    finally:
        loop.close()


def _result(future: "Future[T]") -> T:
    """The guard keeps to its own limits of time, so this ends."""
    try:
        return future.result()
    except FutureCancelled as error:
        raise CannotKnow(CLOSED) from error
