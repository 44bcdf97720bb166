"""What is asked of the server itself: is it alive, is it ready, how is it doing."""

import asyncio
from collections.abc import Mapping
from typing import Any

from lastcall import metrics
from lastcall.domain.errors import StoreUnavailable
from lastcall.domain.types import Duration, TokenHash
from lastcall.http.facts import Readiness
from lastcall.http.replies import problem
from lastcall.metrics import Metrics
from lastcall.ports import Clock, Store
from lastcall.wire import Reply, json_reply

PATHS = ("/livez", "/readyz", "/metrics", "/demo.json")
STORE_SECONDS = 2.0
NO_TOKEN = TokenHash(bytes(32))


async def operation(
    path: str,
    method: str,
    store: Store,
    state: Readiness,
    figures: Metrics,
    demo: Any,
    clock: Clock,
) -> Reply | None:
    """The answer, or None when the path means nothing here."""
    if path not in PATHS or (path == "/demo.json" and demo is None):
        return None
    if method not in ("GET", "HEAD"):
        return problem(405, "Method Not Allowed", ("Allow", "GET, HEAD"))
    if path == "/demo.json":
        return json_reply(demo)
    if path == "/livez":
        return json_reply({"status": "alive"})
    if path == "/readyz":
        return await _ready(store, state, figures)
    return await _figures(store, state, figures, clock)


async def _ready(store: Store, state: Readiness, figures: Metrics) -> Reply:
    checks: Mapping[str, bool] = {
        "store": await _store_answers(store),
        "caught_up": state.caught_up,
        "not_draining": not state.draining,
    }
    ready = all(checks.values())
    figures.standing.ready = ready
    one, position = store.condition(), store.feed.position
    told = {
        "status": "ready" if ready else "not ready",
        "checks": checks,
        "node": one.node,
        "mode": one.mode,
        "position": {"epoch": position.epoch, "seq": position.seq},
        "nodes": one.nodes,
    }
    if one.lease is not None:
        told["lease"] = "fresh" if one.lease > 0 else "run out"
    return json_reply(told, 200 if ready else 503)


async def _figures(store: Store, state: Readiness, figures: Metrics, clock: Clock) -> Reply:
    """How the store stands is asked for also while it can vouch for nothing."""
    answers = await _store_answers(store)
    figures.standing.answers = answers
    figures.standing.ready = answers and state.caught_up and not state.draining
    figures.standing.condition = store.condition()
    due, now = store.next_due(), clock.now()
    figures.show_outbox(store.outbox_depth(), Duration(0 if due is None else max(0, now - due)))
    return Reply(body=figures.page(), headers=(("Content-Type", metrics.CONTENT_TYPE),))


async def _store_answers(store: Store) -> bool:
    """Whether a token could be looked up and the sweep could ask for its work."""
    try:
        async with asyncio.timeout(STORE_SECONDS):
            await store.find(NO_TOKEN)
            await store.unswept()
    except (StoreUnavailable, TimeoutError):
        return False
    return True
