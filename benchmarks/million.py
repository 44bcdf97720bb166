"""Scene: a store of a million sessions: how long it takes to start, what it costs, and its end."""

import http.client
import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.field import Run, bearer, checks_of_others
from benchmarks.full_house import ADMIN, MANY_OTHERS
from benchmarks.logouts import PACE
from benchmarks.paced import Noted, pacing
from benchmarks.processes import Unmeasured
from benchmarks.servers import Server, lastcall, resident
from benchmarks.wrk import HOST, request

SAMPLED = 5_000
"""Sessions of the tenant, from the first to the last, that are asked for while it is logged out."""

LONGEST = 300.0
"""Seconds after which rows that are still not ended are given up."""


def million(run: Run) -> Callable[[], dict[str, Any]]:
    sessions, home = run.sizes.many, run.many
    on_disk = sum(path.stat().st_size for path in home.glob("lastcall.db*"))
    others = run.requests("others", checks_of_others(MANY_OTHERS))
    sample = range(0, sessions, max(1, sessions // SAMPLED))
    of_tenant = [
        request("GET", "/v1/check", [bearer(number)]) for number in (*sample, sessions - 1)
    ]
    tenant = run.requests("tenant", of_tenant)

    def turn() -> dict[str, Any]:
        copied = run.copy(home, "million")
        with ExitStack() as stack:
            began = time.monotonic()
            server = lastcall(stack, copied)
            found = {
                "start_seconds": time.monotonic() - began,
                "disk_bytes": on_disk / sessions,
            }
            loaded = resident(server.process)
            ended = _ended(server, others, tenant, run.sizes.seconds)
            memory = max(loaded, ended.pop("resident_bytes")) / sessions
            return {**found, "memory_bytes": memory, **ended}

    return turn


def _ended(server: Server, others: Path, tenant: Path, seconds: int) -> dict[str, float]:
    """Log the whole tenant out, with a client asking for its sessions and one for others'."""
    with (
        pacing(server.port, PACE, others) as unconcerned,
        pacing(server.port, PACE, tenant) as concerned,
    ):
        ready = time.monotonic()
        time.sleep(seconds)
        in_use = resident(server.process)
        began = time.monotonic()
        answered, over = end_tenant(server)
        noted, seen = unconcerned.stop(), concerned.stop()
    idle, busy = noted.between(ready, began), noted.between(began, over)
    _nobody_left(seen, answered)
    return {
        "resident_bytes": in_use,
        "answered_ms": 1_000 * (answered - began),
        "refused_ms": max(0.0, 1_000 * (seen.last_allowed() - began)),
        "rows_seconds": over - answered,
        "idle_p99_ms": idle.percentile(99),
        "busy_p99_ms": busy.percentile(99),
    }


def end_tenant(server: Server, longest: float = LONGEST) -> tuple[float, float]:
    """When its logout was answered, and when the last row was ended."""
    receipt = _logout(server)
    answered = time.monotonic()
    _rows_ended(server, receipt, answered + longest)
    return answered, time.monotonic()


def _logout(server: Server) -> str:
    asked = {"scope": {"kind": "tenant", "keep_own": True}, "reason": "the end of the day"}
    receipt: str = _asked(server, "POST", "/v1/logout", asked)["id"]
    return receipt


def _rows_ended(server: Server, receipt: str, end: float) -> None:
    while not _asked(server, "GET", f"/v1/receipts/{receipt}")["complete"]:
        if time.monotonic() > end:
            raise Unmeasured("rows are still not ended")
        time.sleep(0.1)


def _nobody_left(seen: Noted, answered: float) -> None:
    """No check that fell due after the answer may be good."""
    allowed = [one for one in seen.answers if one[0] > answered and one[2] == 204]
    if allowed:
        raise RuntimeError(f"{len(allowed)} checks were good after the logout was acknowledged")


def _asked(server: Server, method: str, path: str, body: Any = None) -> Any:
    connection = http.client.HTTPConnection(HOST, server.port, timeout=60)
    headers = dict([bearer(ADMIN)])
    if body is not None:
        headers["Content-Type"] = "application/json"
    try:
        connection.request(method, path, json.dumps(body) if body else None, headers)
        answer = connection.getresponse()
        text = answer.read()
    finally:
        connection.close()
    if answer.status != 200:
        raise Unmeasured(f"{method} {path} is answered with {answer.status}: {text[:200]!r}")
    return json.loads(text)
