"""Scene: checks over HTTP, Lastcall's beside a constant of nginx's and beside the peers'."""

from collections.abc import Callable
from typing import Any

from benchmarks.field import NGINX, Asked, Run, checks_of, served, still_good
from benchmarks.processes import Unmeasured
from benchmarks.servers import processor_seconds
from benchmarks.wrk import Load, WentWrong, load

CONNECTIONS = 32
SESSIONS_OF_PEERS = 1_000

FEW, MANY = "check, few sessions", "check, many sessions"


def checks(run: Run) -> Callable[[], dict[str, Any]]:
    asked = _own(run)
    for peer in run.peers:
        shown = peer.begin(max(1, round(SESSIONS_OF_PEERS * run.sizes.scale)))
        if still_good(peer, shown[0]):
            requests = run.requests(f"check-{len(asked)}", [peer.check(one) for one in shown])
            asked[peer.name] = Asked(server=peer.server, requests=requests)
        else:
            run.absent[peer.name] = "it does not know the sessions it has begun"
    for name in tuple(asked):
        _ask(run, asked, name, 1)  # to warm up

    def turn() -> dict[str, Any]:
        return {
            name: found
            for name in tuple(asked)
            if (found := _ask(run, asked, name, run.sizes.seconds))
        }

    return turn


def _own(run: Run) -> dict[str, Asked]:
    few = served(run, run.copy(run.few, "few"))
    many = served(run, run.copy(run.many, "many"))
    of_few = run.requests("few", checks_of(run.sizes.few))
    return {
        NGINX: Asked(server=run.constant(few), requests=of_few),
        FEW: Asked(server=few, requests=of_few),
        MANY: Asked(server=many, requests=run.requests("many", checks_of(run.sizes.many))),
    }


def _ask(run: Run, asked: dict[str, Asked], name: str, seconds: int) -> dict[str, float] | None:
    """A peer that stops answering properly leaves the run; Lastcall may not."""
    one = asked[name]
    port, process = one.server.port, one.server.process
    what = Load(requests=one.requests, port=port, connections=CONNECTIONS, seconds=seconds)
    try:
        before = processor_seconds(process)
        found = load(what)
        used = processor_seconds(process) - before
        return {**found, "processor_us": 1e6 * used / found["answered"]}
    except WentWrong as error:
        if name in (NGINX, FEW, MANY):
            raise Unmeasured(f"{name}: {error}") from error
        del asked[name]
        run.absent[name] = str(error).splitlines()[0]
        return None
