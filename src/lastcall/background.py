"""Work beside the requests: it goes on while the store does, whatever one turn of it meets."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import structlog

from lastcall.domain.errors import StoreUnavailable

log = structlog.stdlib.get_logger("background")

REST = 1.0
"""Seconds between turns that found nothing to do, and after one that failed."""


BREATH = 0.001
"""Seconds after work that found something: what is swept leaves the loop to the requests."""

SPELL = 20
"""How often in a row one work is asked while it finds something, before the others are."""


async def repeated(works: Mapping[str, Callable[[], Awaitable[int]]], rest: float = REST) -> None:
    """Take turns at each, until it is cancelled; what one of them meets stops no other. A store
    that cannot be reached is asked again: a database comes back.

    Each tells how much it has done, and is asked again for a while as long as there is anything.
    """
    while True:
        done, failed = 0, False
        for name, work in works.items():
            try:
                done += await _spell(work)
            except StoreUnavailable:
                failed = True
                break
            except Exception as error:
                log.error("background work failed", work=name, exc_info=error)
                failed = True
        if failed or not done:
            await asyncio.sleep(rest)


async def _spell(work: Callable[[], Awaitable[int]]) -> int:
    total = 0
    for _ in range(SPELL):
        done = await work()
        if not done:
            break
        total += done
        await asyncio.sleep(BREATH)
    return total


async def kept_up(name: str, run: Callable[[], Awaitable[None]], rest: float = REST) -> None:
    """Begin again whenever it fails; return once it returns."""
    while True:
        try:
            return await run()
        except Exception as error:
            log.error("background work failed", work=name, exc_info=error)
        await asyncio.sleep(rest)
