"""Which figures there are, what each is held to, and what several rounds of it come to."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks.checks import NGINX, SIZES, check_of

Round = Mapping[str, Any]
"""What one round measured: a mapping for each scene."""

FEW, MANY = (check_of(sessions) for sessions in SIZES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """`bar` is what it must reach, or with `at_most` what it must stay below; None: no bar."""

    group: str
    name: str
    unit: str
    of: Callable[[Round], float]
    bar: float | None = None
    at_most: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    figure: Figure
    rounds: Sequence[float]

    @property
    def value(self) -> float:
        return median(self.rounds)

    @property
    def met(self) -> bool | None:
        bar = self.figure.bar
        if bar is None:
            return None
        return self.value <= bar if self.figure.at_most else self.value >= bar


def results(rounds: Sequence[Round]) -> list[Result]:
    """The median is taken of what each round came to, ratios included."""
    measured = set.intersection(*(set(one) for one in rounds))
    return [
        Result(figure=figure, rounds=[figure.of(one) for one in rounds])
        for figure in FIGURES
        if figure.group in measured
    ]


def _added(joined: int) -> Callable[[Round], float]:
    def percent(one: Round) -> float:
        alone = one["verbs"]["alone"]
        return 100 * float(alone[str(joined)]["p50_ms"] / alone["0"]["p50_ms"] - 1)

    return percent


def _alone(joined: int, of: str) -> Callable[[Round], float]:
    return lambda one: float(one["verbs"]["alone"][str(joined)][of])


def _at_once(joined: int, of: str) -> Callable[[Round], float]:
    return lambda one: float(one["verbs"]["at_once"][str(joined)][of])


def _in(scene: str, of: str) -> Callable[[Round], float]:
    return lambda one: float(one[scene][of])


def _check(name: str, of: str) -> Callable[[Round], float]:
    return lambda one: float(one["checks"][name][of])


def _syncs_beaten(one: Round) -> float:
    rate = one["verbs"]["at_once"]["0"]["per_second"]
    return float(rate / one["verbs"]["syncs_per_second"])


def _beside_nginx(one: Round) -> float:
    return float(one["checks"][FEW]["per_second"] / one["checks"][NGINX]["per_second"])


def _slower_with_many(one: Round) -> float:
    return float(one["checks"][FEW]["per_second"] / one["checks"][MANY]["per_second"])


def _delivery_figures() -> list[Figure]:
    told, hung = "deliveries", "hanging"
    return [
        Figure(
            group=told,
            name="signed back-channel deliveries, on one core",
            unit="/s",
            of=_in(told, "per_second"),
            bar=3_000,
        ),
        Figure(
            group=told,
            name="the same in a second of processor time",
            unit="/s",
            of=_in(told, "per_core_second"),
        ),
        Figure(
            group=hung,
            name="first try at 1,000 receivers of which 5 % hang, p50",
            unit="ms",
            of=_in(hung, "first_try_p50_ms"),
        ),
        Figure(group=hung, name="... p99", unit="ms", of=_in(hung, "first_try_p99_ms")),
        Figure(
            group=hung,
            name="... until the healthy 95 % are told",
            unit="ms",
            of=_in(hung, "healthy_told_ms"),
            bar=2_000,
            at_most=True,
        ),
    ]


def _logout_figures() -> list[Figure]:
    group = "verbs"
    figures = [
        Figure(
            group=group,
            name="durable logout, nobody to tell, p50",
            unit="ms",
            of=_alone(0, "p50_ms"),
        ),
        Figure(group=group, name="... p99", unit="ms", of=_alone(0, "p99_ms")),
    ]
    for joined in (1, 2, 3, 5):
        several = "applications" if joined > 1 else "application"
        figures += [
            Figure(
                group=group,
                name=f"added to its p50 by {joined} {several}",
                unit="%",
                of=_added(joined),
                bar=20 if joined <= 3 else None,
                at_most=True,
            ),
            Figure(
                group=group,
                name=f"p99 with {joined} {several}",
                unit="ms",
                of=_alone(joined, "p99_ms"),
            ),
        ]
    for joined in (0, 1, 3, 5):
        figures.append(
            Figure(
                group=group,
                name=f"durable logouts by 64 clients, {joined} to tell",
                unit="/s",
                of=_at_once(joined, "per_second"),
            )
        )
    return [
        *figures,
        Figure(
            group=group,
            name="a page written and synced, one at a time",
            unit="/s",
            of=_in(group, "syncs_per_second"),
        ),
        Figure(
            group=group,
            name="durable logouts by 64 clients against that",
            unit="x",
            of=_syncs_beaten,
            bar=8,
        ),
        Figure(
            group=group,
            name="durable logins by 64 clients, hashing left out",
            unit="/s",
            of=_in(group, "logins_per_second"),
        ),
    ]


def _check_figures() -> list[Figure]:
    group = "checks"
    return [
        Figure(group=group, name=NGINX, unit="/s", of=_check(NGINX, "per_second")),
        Figure(group=group, name=FEW, unit="/s", of=_check(FEW, "per_second")),
        Figure(group=group, name="... p99", unit="ms", of=_check(FEW, "p99_ms")),
        Figure(group=group, name=MANY, unit="/s", of=_check(MANY, "per_second")),
        Figure(group=group, name="check against nginx", unit="x", of=_beside_nginx, bar=0.85),
        Figure(
            group=group,
            name="slower by ten times the sessions",
            unit="x",
            of=_slower_with_many,
            bar=1.1,
            at_most=True,
        ),
    ]


FIGURES = [*_delivery_figures(), *_logout_figures(), *_check_figures()]
