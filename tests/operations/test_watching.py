"""The dashboard and the alerts: well-formed, of figures that exist, with somewhere to read on."""

import re
import subprocess
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lastcall.metrics import Metrics
from operations.grafana import dashboard
from operations.grafana.queries import RATE

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "operations" / "prometheus"
RULES = FOLDER / "lastcall.rules.yml"
NAME = re.compile(r"\b(?:lastcall|process)_\w+")
ENDS = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_count", "_sum")}

pytestmark = pytest.mark.slow


class Rule(msgspec.Struct, forbid_unknown_fields=True, rename={"wait": "for"}):
    expr: str
    record: str = ""
    alert: str = ""
    wait: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class Group(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    rules: list[Rule]


class Target(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    datasource: dict[str, str]
    expr: str
    legend_format: str
    ref_id: str
    format: str
    editor_mode: str
    instant: bool
    range: bool


class Place(msgspec.Struct, forbid_unknown_fields=True):
    h: int
    w: int
    x: int
    y: int


class Panel(msgspec.Struct, forbid_unknown_fields=True, rename="camel", kw_only=True):
    id: int
    title: str
    type: str
    grid_pos: Place
    datasource: dict[str, str] = {}
    description: str = ""
    targets: list[Target] = []
    field_config: dict[str, Any] = {}
    options: dict[str, Any] = {}
    collapsed: bool = False
    panels: list[Any] = []


class Board(msgspec.Struct, forbid_unknown_fields=True, rename="camel", kw_only=True):
    """As Grafana's own schema of a dashboard has it, without what this one does not use."""

    annotations: dict[str, list[dict[str, Any]]]
    description: str
    editable: bool
    fiscal_year_start_month: int
    graph_tooltip: int
    id: int | None
    links: list[Any]
    panels: list[Panel]
    refresh: str
    schema_version: int
    tags: list[str]
    templating: dict[str, list[dict[str, Any]]]
    time: dict[str, str]
    timepicker: dict[str, Any]
    timezone: str
    title: str
    uid: str
    version: int
    week_start: str


def board() -> Board:
    return msgspec.json.decode(dashboard.FILE.read_bytes(), type=Board)


def rules() -> Sequence[Rule]:
    found = msgspec.yaml.decode(RULES.read_bytes(), type=dict[str, list[Group]])
    return [rule for group in found["groups"] for rule in group.rules]


def queries() -> Sequence[str]:
    """What the panels ask, with what Grafana puts in."""
    found = board()
    asked = [target.expr for panel in found.panels for target in panel.targets]
    asked += [one["expr"] for one in found.annotations["list"]]
    return [
        one.replace(RATE, "5m").replace("$job", ".*").replace("$instance", ".*") for one in asked
    ]


def promtool(*arguments: str | Path, folder: Path = FOLDER) -> None:
    done = subprocess.run(["promtool", *arguments], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def samples() -> set[str]:
    """The names of all series that the program shows."""
    shown = re.findall(r"^# TYPE (\S+) (\S+)$", Metrics().page().decode(), re.MULTILINE)
    names = {(name.removesuffix("_total"), kind) for name, kind in shown}
    return {name + end for name, kind in names for end in ENDS[kind]}


def test_the_rules_are_well_formed() -> None:
    promtool("check", "rules", "--lint=all", "--lint-fatal", RULES)


def test_the_alerts_are_silent_while_all_is_well_and_only_then() -> None:
    promtool("test", "rules", "lastcall.test.yml")


def test_every_alert_is_tried() -> None:
    tried = re.findall(r"alertname: (\w+)", (FOLDER / "lastcall.test.yml").read_text())
    alerts = [rule.alert for rule in rules() if rule.alert]
    assert {name: tried.count(name) >= 2 for name in alerts} == dict.fromkeys(alerts, True)


def test_every_alert_says_how_bad_it_is_and_leads_to_what_to_do() -> None:
    for rule in rules():
        if not rule.alert:
            continue
        assert rule.labels["severity"] in ("critical", "warning")
        assert rule.annotations.keys() == {"summary", "description", "runbook_url"}
        page, _, section = rule.annotations["runbook_url"].partition("#")
        headings = re.findall(r"^#+ (.+)$", (ROOT / page).read_text(), re.MULTILINE)
        assert section in {re.sub(r"\W+", "-", one.lower()) for one in headings}, rule.alert


def test_every_figure_that_is_asked_for_is_shown() -> None:
    asked = {name for one in [*queries(), *(r.expr for r in rules())] for name in NAME.findall(one)}
    assert asked - samples() == set()


def test_nearly_every_figure_is_on_the_dashboard() -> None:
    asked = " ".join(queries())
    own = {name for name in samples() if name.startswith("lastcall_")}
    left = {name for name in own if name not in asked}
    ends = ("_bucket", "_count", "_sum")
    assert {name for name in left if not name.endswith(ends)} == {
        "lastcall_start_sessions",
        "lastcall_store_answers",
        "lastcall_store_restored_timestamp_seconds",
    }
    assert {name for name in left if name.endswith("_bucket")} == set()


def test_every_query_of_the_dashboard_is_one_prometheus_understands(tmp_path: Path) -> None:
    named = [{"record": f"panel:{number}", "expr": one} for number, one in enumerate(queries())]
    written = tmp_path / "panels.yml"
    written.write_bytes(msgspec.yaml.encode({"groups": [{"name": "panels", "rules": named}]}))
    promtool("check", "rules", written)


def test_the_dashboard_is_the_one_of_the_panels() -> None:
    assert dashboard.FILE.read_text(encoding="utf-8") == dashboard.text()


def test_the_dashboard_is_one_that_grafana_reads() -> None:
    found = board()
    assert len({panel.id for panel in found.panels}) == len(found.panels)
    assert {panel.type for panel in found.panels} <= {"row", *dashboard.OPTIONS}
    for panel in found.panels:
        letters = [target.ref_id for target in panel.targets]
        assert letters == sorted(set(letters))
        assert (panel.type == "row") != bool(letters)
        assert panel.type == "row" or panel.description
        steps = panel.field_config.get("defaults", {}).get("thresholds", {}).get("steps", [])
        assert steps == [] or steps[0]["value"] is None
    names = [one["name"] for one in found.templating["list"]]
    assert names == ["datasource", "job", "instance"]
    assert set(re.findall(r"\$\{?(\w+)", dashboard.FILE.read_text())) == {
        "__all",
        "__rate_interval",
        *names,
    }


def test_no_panel_covers_another() -> None:
    places = [panel.grid_pos for panel in board().panels]
    assert all(one.x + one.w <= 24 for one in places)
    for one, other in combinations(places, 2):
        beside = one.x + one.w <= other.x or other.x + other.w <= one.x
        below = one.y + one.h <= other.y or other.y + other.h <= one.y
        assert beside or below, (one, other)
