"""Scene: logouts over HTTP by 64 clients, and what checks notice of them."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

from benchmarks.contestants import Contestant
from benchmarks.field import Run, bearer, still_good
from benchmarks.paced import pacing
from benchmarks.processes import scene
from benchmarks.servers import lastcall
from benchmarks.wrk import Load, WentWrong, load, request

AT_ONCE = 64
SYNCS = 400
PACE = 2_000
"""Checks a second of the client whose waiting is timed."""

CHECKED = 1_000
"""Sessions at the end of the store that are checked and not ended."""

LOGOUT = "logout"
UNDER = "under"


def logouts(run: Run) -> Callable[[], dict[str, Any]]:
    def turn() -> dict[str, Any]:
        own = _own(run)
        measured: dict[str, Any] = {}
        for peer in run.peers:
            if peer.log_out is not None and peer.name not in run.absent:
                measured |= _of_peer(run, peer)
        syncs = scene("disk", str(max(50, round(SYNCS * run.sizes.scale))))
        return {**syncs, **own, **measured}

    return turn


def _own(run: Run) -> dict[str, Any]:
    """All that can be ended in the time, then checks by themselves and beside half as many."""
    sizes = run.sizes
    home, tokens = run.copy(run.spare, "spare"), sizes.spare - CHECKED
    half = tokens // 2
    checks = [request("GET", "/v1/check", [bearer(tokens + n)]) for n in range(CHECKED)]
    paced = run.requests("paced", checks)
    with ExitStack() as stack:
        server = lastcall(stack, home)
        most = load(_ending(run, server.port, range(half), sizes.seconds))
        with pacing(server.port, PACE, paced) as client:
            time.sleep(sizes.seconds)
            idle = client.stop()
        with pacing(server.port, PACE, paced) as client:
            rate = most["per_second"] / 2
            # The checks' client goes first where both want the processor: it is what is timed.
            what = _ending(run, server.port, range(half, tokens), sizes.seconds, rate)
            ended = load(what, nice=10)
            busy = client.stop()
    return {
        LOGOUT: most,
        UNDER: {
            "logouts_per_second": ended["per_second"],
            "idle_p99_ms": idle.percentile(99),
            "busy_p99_ms": busy.percentile(99),
            "idle_p50_ms": idle.percentile(50),
            "busy_p50_ms": busy.percentile(50),
        },
    }


def _ending(run: Run, port: int, numbers: Sequence[int], seconds: int, rate: float = 0) -> Load:
    requests = [request("POST", "/v1/logout", [bearer(number)]) for number in numbers]
    return Load(
        requests=run.requests("logouts", requests),
        port=port,
        connections=AT_ONCE,
        seconds=seconds,
        once=True,
        rate=rate,
    )


def _of_peer(run: Run, peer: Contestant) -> dict[str, dict[str, float]]:
    assert peer.log_out is not None
    shown = peer.begin(max(AT_ONCE, round(peer.logouts * run.sizes.scale)))
    what = Load(
        requests=run.requests("logouts", [peer.log_out(one) for one in shown]),
        port=peer.server.port,
        connections=AT_ONCE,
        seconds=run.sizes.seconds,
        once=True,
    )
    try:
        found = load(what)
    except WentWrong as error:
        run.absent[peer.name] = str(error).splitlines()[0]
        return {}
    if still_good(peer, shown[0]):
        run.absent[peer.name] = "a logged-out session is still good"
        return {}
    return {peer.name: found}
