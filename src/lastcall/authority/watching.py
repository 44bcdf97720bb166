"""Watching: a receipt as it changes, for as long as the watcher is let in."""

import asyncio
from collections.abc import AsyncIterator

from lastcall.authority.receipts import receipt
from lastcall.domain.access import Caller
from lastcall.domain.tally import ReceiptView
from lastcall.domain.types import Duration, ReceiptId
from lastcall.ports import Env

EVERY = Duration(200)
"""Milliseconds between two looks. Each asks anew whether the watcher's session is live."""


async def watch(
    env: Env, caller: Caller, id: ReceiptId, *, limit: int, every: Duration = EVERY
) -> AsyncIterator[ReceiptView | None]:
    """The receipt now and whenever it has changed, None for a look that saw no change.

    Ends with the finished receipt. Raises what `receipt` raises, when the session has ended say.
    """
    seen: object = None
    while True:
        view = await receipt(env, caller, id, limit=limit)
        yield None if view.mark == seen else view
        if view.finished:
            return
        seen = view.mark
        await asyncio.sleep(every / 1_000)


async def finished_receipt(
    env: Env,
    caller: Caller,
    id: ReceiptId,
    within: Duration,
    *,
    after: str,
    limit: int,
    every: Duration = EVERY,
) -> ReceiptView:
    """The receipt once it is finished, or as it is when the time is up."""
    loop = asyncio.get_running_loop()
    end = loop.time() + within / 1_000
    while True:
        view = await receipt(env, caller, id, after=after, limit=limit)
        left = end - loop.time()
        if view.finished or left <= 0:
            return view
        await asyncio.sleep(min(every / 1_000, left))
