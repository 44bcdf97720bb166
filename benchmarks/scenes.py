"""The scenes of a run, in the order they take turns in.

A scene is opened once and then asked for one round after the other. What cannot be measured here
raises `Unmeasured`; its figures are then shown with the reason.
"""

from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.checks import checks
from benchmarks.field import Run
from benchmarks.logouts import logouts
from benchmarks.million import million
from benchmarks.processes import Unmeasured, scene
from tests.postgres.cluster import installed

Turn = Callable[[], Any]
Opening = Callable[[Run], Turn]


def _deliveries(run: Run) -> Turn:
    return lambda: scene("deliveries", str(run.sizes.people))


def _hanging(run: Run) -> Turn:
    return lambda: scene("hanging", str(run.sizes.logouts))


def _verbs(run: Run) -> Turn:
    return lambda: scene("verbs", str(run.sizes.logouts))


def _guard(run: Run) -> Turn:
    return lambda: scene("guard", str(run.sizes.logouts))


def _nodes(run: Run) -> Turn:
    if not installed():
        raise Unmeasured("PostgreSQL is not installed")
    count = max(20, run.sizes.logouts * 3 // 10)
    return lambda: scene("nodes", str(count), str(4 * count), str(run.sizes.seconds))


SCENES: Mapping[str, Opening] = {
    "checks": checks,
    "logouts": logouts,
    "million": million,
    "nodes": _nodes,
    "deliveries": _deliveries,
    "hanging": _hanging,
    "verbs": _verbs,
    "guard": _guard,
}
