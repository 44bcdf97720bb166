"""Which figures there are, what each is held to, and what several rounds of it come to."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from types import MappingProxyType
from typing import Any

from benchmarks.checks import FEW, MANY
from benchmarks.contestants import (
    BETTER_AUTH,
    DJANGO,
    DJANGO_USER,
    EXPRESS,
    OIDC_MEMORY,
    OIDC_REDIS,
)
from benchmarks.field import NGINX
from benchmarks.logouts import LOGOUT, UNDER

Round = Mapping[str, Any]
"""What one round measured: a mapping for each scene."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """`bar` is what it must reach, or with `at_most` what it must stay below; None: no bar.

    `of` what one round came to; it raises `KeyError` for a round without it. `peer` whose figure it
    is, when it is not Lastcall's own. `limit`: the text in `limits/` that says why the bar cannot
    be met, when it is not.
    """

    group: str
    name: str
    unit: str
    of: Callable[[Round], float]
    bar: float | None = None
    at_most: bool = False
    peer: str = ""
    limit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """No rounds: it was not measured, and `why` not."""

    figure: Figure
    rounds: Sequence[float]
    why: str = ""

    @property
    def value(self) -> float | None:
        return median(self.rounds) if self.rounds else None

    @property
    def met(self) -> bool | None:
        bar, value = self.figure.bar, self.value
        if bar is None or value is None:
            return None
        return value <= bar if self.figure.at_most else value >= bar


def results(
    rounds: Sequence[Round], absent: Mapping[str, str] = MappingProxyType({})
) -> list[Result]:
    """The median is taken of what each round came to, ratios included.

    Figures of scenes that were not asked for are left out; those that were and could not be
    measured are there, with the reason from `absent`.
    """
    groups = {group for one in rounds for group in one} | absent.keys()
    return [_result(figure, rounds, absent) for figure in FIGURES if figure.group in groups]


def _result(figure: Figure, rounds: Sequence[Round], absent: Mapping[str, str]) -> Result:
    came_to = []
    for one in rounds:
        try:
            came_to.append(figure.of(one))
        except KeyError:
            continue
    why = (
        "" if came_to else absent.get(figure.peer) or absent.get(figure.group) or "nobody said why"
    )
    return Result(figure=figure, rounds=came_to, why=why)


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


def _ratio(scene: str, of: str, to: str, what: str = "per_second") -> Callable[[Round], float]:
    return lambda one: float(one[scene][of][what] / one[scene][to][what])


def _syncs_beaten(one: Round) -> float:
    measured = one["logouts"]
    return float(measured[LOGOUT]["per_second"] / measured["syncs_per_second"])


def _slowed(one: Round) -> float:
    measured = one["logouts"][UNDER]
    return float(measured["busy_p99_ms"] / measured["idle_p99_ms"])


def _slowed_by_sweep(one: Round) -> float:
    return float(one["million"]["busy_p99_ms"] / one["million"]["idle_p99_ms"])


def _delivery_figures() -> list[Figure]:
    told, hung = "deliveries", "hanging"
    return [
        Figure(
            group=told,
            name="signed back-channel deliveries, on one core",
            unit="/s",
            of=_in(told, "per_second"),
            bar=3_000,
            limit="deliveries",
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
                limit="telling",
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
            name="durable logins by 64 clients, hashing left out",
            unit="/s",
            of=_in(group, "logins_per_second"),
        ),
    ]


PEERS = {
    OIDC_MEMORY: 10,
    OIDC_REDIS: 10,
    EXPRESS: 12,
    DJANGO: 40,
    DJANGO_USER: 40,
    BETTER_AUTH: 60,
}
"""How many times as many checks Lastcall must answer."""


SHORT = {
    OIDC_MEMORY: "oidc",
    OIDC_REDIS: "oidc",
    EXPRESS: "express",
    DJANGO: "django",
    DJANGO_USER: "django",
    BETTER_AUTH: "better-auth",
}
"""How the texts in `limits/` are named."""


def _check_figures() -> list[Figure]:
    group = "checks"
    figures = [
        Figure(group=group, name=NGINX, unit="/s", of=_check(NGINX, "per_second")),
        Figure(group=group, name="check, 10,000 sessions", unit="/s", of=_check(FEW, "per_second")),
        Figure(group=group, name="... p99", unit="ms", of=_check(FEW, "p99_ms")),
        Figure(
            group=group,
            name="... of a processor, each",
            unit="us",
            of=_check(FEW, "processor_us"),
        ),
        Figure(
            group=group,
            name="nginx of a processor, each",
            unit="us",
            of=_check(NGINX, "processor_us"),
        ),
        Figure(
            group=group, name="check, 1,000,000 sessions", unit="/s", of=_check(MANY, "per_second")
        ),
        Figure(
            group=group,
            name="check against nginx returning a constant",
            unit="x",
            of=_ratio(group, FEW, NGINX),
            bar=0.85,
            limit="check-against-nginx",
        ),
        Figure(
            group=group,
            name="check with 10,000 sessions against 1,000,000",
            unit="x",
            of=_ratio(group, FEW, MANY),
            bar=1.1,
            at_most=True,
            limit="check-with-many-sessions",
        ),
    ]
    for peer, bar in PEERS.items():
        figures += [
            Figure(
                group=group, name=f"{peer}", unit="/s", of=_check(peer, "per_second"), peer=peer
            ),
            Figure(
                group=group,
                name=f"check against {peer}",
                unit="x",
                of=_ratio(group, FEW, peer),
                bar=bar,
                peer=peer,
                limit=f"check-against-{SHORT[peer]}",
            ),
        ]
    return figures


DURABLE = {
    OIDC_MEMORY: "nothing is kept",
    OIDC_REDIS: "not durable",
    EXPRESS: "not durable",
    DJANGO: "durable",
    BETTER_AUTH: "durable",
}
"""Whether what a peer answers to a logout would outlive its machine."""


def _logouts_over_http() -> list[Figure]:
    group = "logouts"
    figures = [
        Figure(
            group=group,
            name="durable logouts by 64 clients",
            unit="/s",
            of=lambda one: float(one[group][LOGOUT]["per_second"]),
        ),
        Figure(
            group=group,
            name="... p99",
            unit="ms",
            of=lambda one: float(one[group][LOGOUT]["p99_ms"]),
        ),
        Figure(
            group=group,
            name="a page appended and synced, one at a time",
            unit="/s",
            of=_in(group, "syncs_per_second"),
        ),
        Figure(
            group=group,
            name="durable logouts against one sync each",
            unit="x",
            of=_syncs_beaten,
            bar=8,
            limit="logouts-against-syncs",
        ),
        Figure(
            group=group,
            name="p99 of a check, nothing else going on",
            unit="ms",
            of=lambda one: float(one[group][UNDER]["idle_p99_ms"]),
        ),
        Figure(
            group=group,
            name="p99 of a check under half as many logouts, against that",
            unit="x",
            of=_slowed,
            bar=3,
            at_most=True,
            limit="check-under-logouts",
        ),
    ]
    for peer, durable in DURABLE.items():
        figures += [
            Figure(
                group=group,
                name=f"{peer} ({durable})",
                unit="/s",
                of=_logout_of(peer),
                peer=peer,
            ),
            Figure(
                group=group,
                name=f"durable logouts against {peer}",
                unit="x",
                of=_ratio(group, LOGOUT, peer),
                bar=5,
                peer=peer,
                limit=f"logouts-against-{SHORT[peer]}",
            ),
        ]
    return figures


def _logout_of(peer: str) -> Callable[[Round], float]:
    return lambda one: float(one["logouts"][peer]["per_second"])


def _million_figures() -> list[Figure]:
    group = "million"

    def bounded(name: str, unit: str, of: str, bar: float, limit: str) -> Figure:
        return Figure(
            group=group,
            name=name,
            unit=unit,
            of=_in(group, of),
            bar=bar,
            at_most=True,
            limit=limit,
        )

    return [
        bounded("start until ready", "s", "start_seconds", 10, "start"),
        bounded("memory for each session", "bytes", "memory_bytes", 600, "memory"),
        bounded("disk for each session", "bytes", "disk_bytes", 400, "disk"),
        bounded("tenant logged out: until the last is refused", "ms", "refused_ms", 20, "refusal"),
        Figure(
            group=group,
            name="... until that is durable and answered",
            unit="ms",
            of=_in(group, "answered_ms"),
        ),
        bounded("... until every row is ended", "s", "rows_seconds", 10, "sweep"),
        Figure(
            group=group,
            name="... p99 of a check before",
            unit="ms",
            of=_in(group, "idle_p99_ms"),
        ),
        Figure(
            group=group,
            name="... p99 of a check meanwhile, against that",
            unit="x",
            of=_slowed_by_sweep,
            bar=2,
            at_most=True,
            limit="check-under-sweep",
        ),
    ]


def _guard_figures() -> list[Figure]:
    group = "guard"
    return [
        Figure(
            group=group,
            name="check by a guard in the application, 100,000 remembered",
            unit="us",
            of=_in(group, "check_us"),
            bar=3,
            at_most=True,
        ),
        Figure(
            group=group,
            name="logout answered until the application refuses, p50",
            unit="ms",
            of=_in(group, "refused_p50_ms"),
        ),
        Figure(
            group=group,
            name="... p99",
            unit="ms",
            of=_in(group, "refused_p99_ms"),
            bar=100,
            at_most=True,
        ),
    ]


def _node_figures() -> list[Figure]:
    group = "nodes"

    def figure(name: str, unit: str, *path: str) -> Figure:
        return Figure(group=group, name=name, unit=unit, of=_within(group, *path))

    figures = [
        Figure(
            group=group,
            name="checks at one node of three",
            unit="/s",
            of=lambda one: float(one[group]["checks_one_node"][0]),
        ),
        Figure(
            group=group,
            name="checks at each of three at once, on these cores",
            unit="/s",
            of=lambda one: float(median(one[group]["checks_all_nodes"])),
        ),
        figure("durable logouts by 64 clients, over three nodes", "/s", "logouts_per_second"),
    ]
    for scene, words in STATES.items():
        figures += [
            figure(f"{words}: refused everywhere, p50", "ms", scene, "everywhere_p50_ms"),
            figure(f"{words}: refused everywhere, p99", "ms", scene, "everywhere_p99_ms"),
            figure(f"{words}: answered, p50", "ms", scene, "answered_p50_ms"),
        ]
        if scene != "all_well":
            figures += [
                figure(f"{words}: the first logout", "ms", scene, "first_answered_ms"),
                figure(f"{words}: durable logouts", "/s", scene, "logouts_per_second"),
            ]
    accepted = "one cut off: it accepts for"
    return [*figures, figure(accepted, "ms", "cut_off", "accepted_for_ms")]


STATES = {"all_well": "all well", "stopped": "one stopped", "cut_off": "one cut off"}


def _within(*path: str) -> Callable[[Round], float]:
    def number(one: Round) -> float:
        found: Any = one
        for name in path:
            found = found[name]
        return float(found)

    return number


FIGURES = [
    *_check_figures(),
    *_logouts_over_http(),
    *_million_figures(),
    *_node_figures(),
    *_delivery_figures(),
    *_logout_figures(),
    *_guard_figures(),
]
