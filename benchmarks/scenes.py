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
from benchmarks.processes import scene

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


SCENES: Mapping[str, Opening] = {
    "checks": checks,
    "logouts": logouts,
    "million": million,
    "deliveries": _deliveries,
    "hanging": _hanging,
    "verbs": _verbs,
    "guard": _guard,
}
