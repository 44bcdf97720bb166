"""What the benchmarks make of their rounds; the rounds themselves are `make bench`."""

import json
from pathlib import Path
from typing import Any

from defusedxml.ElementTree import parse

from benchmarks import report
from benchmarks.checks import NGINX, SIZES, check_of
from benchmarks.figures import results


def a_round(per_second: float, **changes: Any) -> dict[str, Any]:
    asked = {"per_second": 80_000.0, "p50_ms": 0.4, "p99_ms": 1.0}
    alone = {"p50_ms": 1.0, "p99_ms": 2.0}
    measured: dict[str, Any] = {
        "deliveries": {"per_second": per_second, "per_core_second": 3_500.0},
        "hanging": {"first_try_p50_ms": 3.0, "first_try_p99_ms": 9.0, "healthy_told_ms": 2_001.0},
        "verbs": {
            "alone": {str(n): {**alone, "p50_ms": 1 + n / 10} for n in (0, 1, 2, 3, 5)},
            "at_once": {str(n): {**alone, "per_second": 4_000.0} for n in (0, 1, 2, 3, 5)},
            "syncs_per_second": 400.0,
            "logins_per_second": 3_000.0,
        },
        "checks": {
            NGINX: {**asked, "per_second": 100_000.0},
            **{check_of(n): asked for n in SIZES},
        },
    }
    return {**measured, **changes}


def test_a_figure_is_the_median_of_its_rounds_and_held_to_its_bar() -> None:
    found = {one.figure.name: one for one in results([a_round(2_000), a_round(3_100)] * 2)}
    told = found["signed back-channel deliveries, on one core"]
    assert (told.value, told.met) == (2_550, False)
    assert found["... until the healthy 95 % are told"].met is False
    assert found["check against nginx"].value == 0.8
    assert found["durable logouts by 64 clients against that"].met is True
    assert round(found["added to its p50 by 1 application"].value) == 10
    assert found["added to its p50 by 3 applications"].met is False
    assert found["added to its p50 by 5 applications"].met is None


def test_what_was_not_measured_is_left_out() -> None:
    without = a_round(3_000)
    del without["checks"]
    assert {one.figure.group for one in results([without])} == {"deliveries", "hanging", "verbs"}


def test_the_report_is_a_table_and_plots_that_can_be_drawn(tmp_path: Path) -> None:
    rounds = [a_round(2_900), a_round(3_200), a_round(3_300)]
    found = results(rounds)
    report.write({"system": "Linux"}, rounds, found, ["A remark."], tmp_path)
    text = (tmp_path / "report.md").read_text()
    assert "3,200 /s | >= 3,000 met | 2,900 .. 3,300 |" in text
    assert "* A remark." in text
    assert json.loads((tmp_path / "report.json").read_text())["rounds"] == rounds
    for plot in tmp_path.glob("*.svg"):
        assert f"]({plot.name})" in text
        root = parse(plot).getroot()
        assert root is not None
        assert root.tag.endswith("svg")
    assert "3,200 /s" in report.table(found)
