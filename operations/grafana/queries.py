"""Queries as the panels of the dashboard ask them, and what a panel is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

WHERE = 'job=~"$job",instance=~"$instance"'
RATE = "$__rate_interval"

Target = tuple[str, str]
"""An expression, and the legend of its series."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """`steps` are the colours from which value on; `text` is what a single value shows."""

    title: str
    about: str
    targets: Sequence[Target]
    unit: str = "short"
    kind: str = "timeseries"
    width: int = 8
    height: int = 8
    log: bool = False
    stacked: bool = False
    steps: Sequence[tuple[float | None, str]] = ((None, "green"),)
    text: str = "auto"


def rate(name: str, by: str = "", more: str = "") -> str:
    within = f"{WHERE},{more}" if more else WHERE
    return f"sum by ({by}) (rate({name}{{{within}}}[{RATE}]))"


def quantile(share: float, name: str, by: str = "", more: str = "") -> str:
    labels = f"le,{by}" if by else "le"
    return f"histogram_quantile({share}, {rate(f'{name}_bucket', labels, more)})"


def quantiles(name: str, by: str = "", more: str = "", *, last: float = 0.99) -> list[Target]:
    legend = f"{{{{{by}}}}} " if by else ""
    return [(quantile(share, name, by, more), f"{legend}p{share * 100:g}") for share in (0.5, last)]


def ratio(of: str, to: str) -> str:
    return f"{rate(of)} / {rate(to)}"


def gauge(name: str) -> str:
    return f"{name}{{{WHERE}}}"


SINCE = f"{gauge('process_start_time_seconds')} * 1000"
"""In the milliseconds that Grafana takes for a date."""


def stat(title: str, about: str, expression: str, legend: str = "", **more: Any) -> Panel:
    given: dict[str, Any] = {"kind": "stat", "width": 4, "height": 4, **more}
    return Panel(title=title, about=about, targets=[(expression, legend)], **given)
