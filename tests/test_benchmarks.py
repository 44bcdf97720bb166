"""What the benchmarks make of their rounds; the rounds themselves are `make bench`."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from defusedxml.ElementTree import parse

from benchmarks import report
from benchmarks.checks import FEW, MANY
from benchmarks.contestants import BETTER_AUTH, DJANGO, OPENINGS, PEERS
from benchmarks.explained import TEXTS, Explanation
from benchmarks.field import NGINX
from benchmarks.figures import FIGURES, STATES, results
from benchmarks.logouts import LOGOUT, UNDER
from benchmarks.paced import Noted, note, noted_in, read
from benchmarks.processes import Unmeasured
from benchmarks.scenes import SCENES
from benchmarks.wrk import WentWrong, measured, request, written

ROOT = Path(__file__).parents[1]

A_SPREAD = {
    "answered_p50_ms": 6.0,
    "answered_p99_ms": 60.0,
    "everywhere_p50_ms": 7.0,
    "everywhere_p99_ms": 61.0,
    "first_answered_ms": 2_000.0,
    "logouts_per_second": 1_300.0,
    "accepted_for_ms": 1_500.0,
}


def a_round(per_second: float, **changes: Any) -> dict[str, Any]:
    asked = {"per_second": 80_000.0, "p50_ms": 0.4, "p99_ms": 1.0, "processor_us": 9.0}
    alone = {"p50_ms": 1.0, "p99_ms": 2.0}
    found: dict[str, Any] = {
        "deliveries": {"per_second": per_second, "per_core_second": 3_500.0},
        "hanging": {"first_try_p50_ms": 3.0, "first_try_p99_ms": 9.0, "healthy_told_ms": 2_001.0},
        "verbs": {
            "alone": {str(n): {**alone, "p50_ms": 1 + n / 10} for n in (0, 1, 2, 3, 5)},
            "at_once": {str(n): {**alone, "per_second": 4_000.0} for n in (0, 1, 2, 3, 5)},
            "logins_per_second": 3_000.0,
        },
        "checks": {
            NGINX: {**asked, "per_second": 100_000.0},
            FEW: asked,
            MANY: {**asked, "per_second": 40_000.0},
            DJANGO: {**asked, "per_second": 2_000.0},
        },
        "logouts": {
            LOGOUT: {**asked, "per_second": 32_000.0},
            UNDER: {"idle_p99_ms": 0.5, "busy_p99_ms": 2.0},
            "syncs_per_second": 4_000.0,
        },
        "million": {"refused_ms": 4.0, "idle_p99_ms": 1.0, "busy_p99_ms": 1.5},
        "nodes": {
            "checks_one_node": [90_000.0],
            "checks_all_nodes": [30_000.0, 31_000.0, 32_000.0],
            "logouts_per_second": 1_400.0,
            **dict.fromkeys(STATES, A_SPREAD),
        },
        "guard": {"check_us": 2.0, "refused_p50_ms": 2.0, "refused_p99_ms": 8.0},
    }
    return {**found, **changes}


def test_a_figure_is_the_median_of_its_rounds_and_held_to_its_bar() -> None:
    found = {one.figure.name: one for one in results([a_round(2_000), a_round(3_100)] * 2)}
    told = found["signed back-channel deliveries, on one core"]
    assert (told.value, told.met) == (2_550, False)
    assert found["... until the healthy 95 % are told"].met is False
    assert found["check against nginx returning a constant"].value == 0.8
    assert found["check with 10,000 sessions against 1,000,000"].met is False
    assert found[f"check against {DJANGO}"].met is True
    assert found["durable logouts against one sync each"].met is True
    assert found["p99 of a check under half as many logouts, against that"].met is False
    assert found["tenant logged out: until the last is refused"].met is True
    assert round(found["added to its p50 by 1 application"].value or 0) == 10
    assert found["added to its p50 by 3 applications"].met is False
    assert found["added to its p50 by 5 applications"].met is None


def test_what_was_not_asked_for_is_left_out() -> None:
    without = a_round(3_000)
    del without["checks"]
    assert {one.figure.group for one in results([without])} == set(SCENES) - {"checks"}


def test_what_could_not_be_measured_is_shown_with_the_reason() -> None:
    without = a_round(3_000)
    del without["million"]
    absent = {"million": "no room", BETTER_AUTH: "it could not be installed"}
    found = {one.figure.name: one for one in results([without], absent)}
    one = found["memory for each session"]
    assert (one.value, one.met, one.why) == (None, None, "no room")
    assert found[f"check against {BETTER_AUTH}"].why == "it could not be installed"
    assert found[f"check against {DJANGO}"].value == 40
    shown = report.table(list(found.values()))
    assert re.search(r"memory for each session +not measured +<= 600 +no room", shown)


def test_the_report_is_a_table_and_plots_that_can_be_drawn(tmp_path: Path) -> None:
    rounds = [a_round(2_900), a_round(3_200), a_round(3_300)]
    found = results(rounds, {BETTER_AUTH: "it could not be installed"})
    unmet = next(one.figure for one in found if one.met is False)
    why = Explanation(figure=unmet, text="The cable is long.", profile="50 % copper")
    report.write({"system": "Linux"}, rounds, found, ["A remark."], [why], tmp_path)
    text = (tmp_path / "report.md").read_text()
    assert "3,200 /s | >= 3,000 met | 2,900 .. 3,300 |" in text
    assert "| check against better-auth, SQLite | >= 60 | not measured | it could not" in text
    assert "* A remark." in text
    assert f"### {unmet.name}\n\nThe cable is long." in text
    assert "50 % copper" in text
    assert json.loads((tmp_path / "report.json").read_text())["rounds"] == rounds
    plots = sorted(tmp_path.glob("*.svg"))
    assert len(plots) == len(SCENES)
    for plot in plots:
        assert f"]({plot.name})" in text
        root = parse(plot).getroot()
        assert root is not None
        assert root.tag.endswith("svg")
    assert "3,200 /s" in report.table(found)


def test_every_scene_has_figures_and_every_figure_a_scene() -> None:
    assert {one.group for one in FIGURES} == set(SCENES) == set(report.TITLES)
    assert {one.peer for one in FIGURES} - {""} == {name for some in OPENINGS for name in some}


def test_every_explanation_is_of_a_figure_that_has_a_bar() -> None:
    limits = {one.limit for one in FIGURES if one.bar is not None}
    assert {path.stem for path in TEXTS.glob("*.md")} <= limits


def test_requests_are_read_as_they_were_written(tmp_path: Path) -> None:
    requests = [request("GET", "/a"), request("POST", "/b", [("X", "y")], "body\n")]
    assert requests[1].endswith(b"Content-Length: 5\r\n\r\nbody\n")
    assert read(written(requests, tmp_path / "requests")) == requests


def test_a_load_in_which_anything_went_wrong_is_no_figure() -> None:
    told = {"answered": 10, "per_second": 5.0, "p50_ms": 1, "p99_ms": 2, "refused": 0, "broken": 0}
    assert measured(f"Running 1s test\n{json.dumps(told)}\n")["per_second"] == 5
    for wrong in ({"refused": 1}, {"broken": 2}, {"answered": 0}):
        with pytest.raises(WentWrong):
            measured(json.dumps({**told, **wrong}))
    with pytest.raises(WentWrong, match="unable to connect"):
        measured("unable to connect to 127.0.0.1")


def test_answers_are_read_as_they_were_noted(tmp_path: Path) -> None:
    answers = [(1.0, 1.25, 204), (2.0, 2.5, 401)]
    note(answers, tmp_path / "noted")
    assert noted_in(tmp_path / "noted", 2) == answers


def test_the_last_check_that_was_not_refused() -> None:
    noted = Noted([(1.0, 1.1, 204), (2.0, 2.1, 401), (1.5, 2.2, 204), (3.0, 3.1, 401)])
    assert noted.last_allowed() == 2.2
    assert [one[0] for one in noted.between(1.2, 3.0).answers] == [2.0, 1.5]
    assert noted.percentile(99) == pytest.approx(700)
    with pytest.raises(Unmeasured):
        noted.between(3.0, 4.0).between(5.0, 6.0).percentile(99)


def test_peers_are_pinned_without_addresses() -> None:
    lock = json.loads((PEERS / "node" / "package-lock.json").read_text())
    for name, package in lock["packages"].items():
        assert "resolved" not in package
        assert not name or package["integrity"]
    pinned = (PEERS / "requirements.txt").read_text()
    assert "://" not in pinned
    assert pinned.count("==") <= pinned.count("--hash=")


@pytest.mark.slow
@pytest.mark.e2e
def test_a_quick_run_measures_something_of_each_scene() -> None:
    """Without nginx or wrk the figures that need them are shown as not measured."""
    command = [sys.executable, "-m", "benchmarks", "--quick", "--only", "million", "checks"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(r"until the last is refused +[0-9.,]+ ms", done.stdout), done.stdout
    assert re.search(r"nginx, a constant +([0-9,]+ /s|not measured.* not installed)", done.stdout)
