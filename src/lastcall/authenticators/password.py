"""Passwords: argon2id over the SHA-256 hex, in a few background threads with a short queue."""

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from lastcall.domain.errors import Busy

T = TypeVar("T")

MEMORY_KIB = 19 * 1024
ITERATIONS = 2
LANES = 1
"""OWASP's first choice for argon2id: 19 MiB, two passes, one lane; some 30 ms of one core."""

QUEUE = 64


class Argon2Passwords:
    """At most `workers` hashes run and `queue` wait; what comes on top is `Busy`.

    By default all processors but one may hash. A caller that goes away frees its place, at once
    if its turn has not come. Hashes made with another cost verify at that cost.
    """

    def __init__(
        self,
        *,
        memory_kib: int = MEMORY_KIB,
        iterations: int = ITERATIONS,
        lanes: int = LANES,
        workers: int = 0,
        queue: int = QUEUE,
    ) -> None:
        self._hasher = PasswordHasher(
            time_cost=iterations, memory_cost=memory_kib, parallelism=lanes
        )
        self._nobody = self._hasher.hash(os.urandom(32))
        workers = workers or max(1, (os.cpu_count() or 1) - 1)
        self._threads = ThreadPoolExecutor(workers, "password", initializer=_yield_to_others)
        self._places = threading.BoundedSemaphore(workers + queue)
        self._inside: set[Future[Any]] = set()

    @property
    def waiting(self) -> int:
        """How many passwords are being hashed or wait for it."""
        return len(self._inside)

    async def hash(self, digest: str) -> str:
        return await self._run(lambda: self._hasher.hash(_bytes(digest)))

    async def verify(self, encoded: str, digest: str) -> bool:
        """Also False for an `encoded` that is no argon2 hash."""
        return await self._run(lambda: self._matches(encoded, digest))

    def close(self) -> None:
        """Let what runs finish and drop what waits."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _matches(self, encoded: str, digest: str) -> bool:
        try:
            self._hasher.verify(encoded or self._nobody, _bytes(digest))
        except (Argon2Error, InvalidHashError, UnicodeEncodeError):
            return False
        return bool(encoded)

    async def _run(self, work: Callable[[], T]) -> T:
        if not self._places.acquire(blocking=False):
            raise Busy("too many passwords are waiting")
        try:
            future = self._threads.submit(work)
        except RuntimeError as closing:
            self._places.release()
            raise Busy("passwords are no longer taken") from closing
        self._inside.add(future)
        future.add_done_callback(self._leave)
        return await asyncio.wrap_future(future)

    def _leave(self, done: Future[Any]) -> None:
        self._inside.discard(done)
        self._places.release()


def _bytes(digest: str) -> bytes:
    return digest.lower().encode("utf-8", "surrogatepass")


def _yield_to_others() -> None:
    """Hash with what the event loop leaves over, also where there is only one processor."""
    if sys.platform == "linux":  # elsewhere a thread has no priority of its own
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
