"""Prometheus' families made of plain numbers, under the names they are documented by."""

from collections.abc import Iterable, Mapping, Sequence
from math import inf
from typing import TypeVar

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from lastcall.metrics.tallies import Tally

Labels = tuple[str, ...]
W = TypeVar("W", bound=str)


def counter(
    name: str, text: str, labels: Sequence[str], values: Iterable[tuple[Labels, float]]
) -> Metric:
    family = CounterMetricFamily(f"lastcall_{name}", text, labels=labels)
    for words, value in values:
        family.add_metric(words, value)
    return family


def gauge(
    name: str, text: str, labels: Sequence[str], values: Iterable[tuple[Labels, float]]
) -> Metric:
    family = GaugeMetricFamily(f"lastcall_{name}", text, labels=labels)
    for words, value in values:
        family.add_metric(words, value)
    return family


def plain(name: str, text: str, value: float | None) -> Metric:
    """A gauge without labels; with no sample where there is nothing to tell."""
    return gauge(name, text, (), () if value is None else [((), value)])


def histogram(
    name: str,
    text: str,
    labels: Sequence[str],
    tallies: Iterable[tuple[Labels, Tally]],
    bounds: Sequence[float] = (),
) -> Metric:
    """With all the bounds of the tallies, or some of them."""
    family = HistogramMetricFamily(f"lastcall_{name}", text, labels=labels)
    for words, tally in tallies:
        sums = tally.upto(bounds or tally.bounds)
        buckets = [("+Inf" if bound == inf else str(bound), count) for bound, count in sums]
        family.add_metric(words, buckets, sum_value=tally.total)
    return family


def by_one(values: Mapping[W, float]) -> Iterable[tuple[Labels, float]]:
    """For families with a single label."""
    return (((word,), value) for word, value in values.items())
