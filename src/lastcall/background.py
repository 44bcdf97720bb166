"""Work beside the requests: it goes on while the store does, whatever one turn of it meets."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import structlog

from lastcall.domain.errors import StoreUnavailable

log = structlog.stdlib.get_logger("background")

REST = 1.0
"""Seconds between turns that found nothing to do, and after one that failed."""


BREATH = 0.001
"""Seconds between turns that found something: what is swept leaves the loop to the requests."""


async def repeated(works: Mapping[str, Callable[[], Awaitable[int]]], rest: float = REST) -> None:
    """Take turns at each, until the store has failed; what one of them meets stops no other.

    Each tells how much it has done: as long as there is anything, they only take breath.
    """
    while True:
        done, failed = 0, False
        for name, work in works.items():
            try:
                done += await work()
            except StoreUnavailable:
                return
            except Exception as error:
                log.error("background work failed", work=name, exc_info=error)
                failed = True
        await asyncio.sleep(rest if failed or not done else BREATH)


async def kept_up(name: str, run: Callable[[], Awaitable[None]], rest: float = REST) -> None:
    """Begin again whenever it fails; return once it returns."""
    while True:
        try:
            return await run()
        except Exception as error:
            log.error("background work failed", work=name, exc_info=error)
        await asyncio.sleep(rest)
