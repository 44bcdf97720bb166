"""Whatever the code has, the reference has an entry for, and it has entries of nothing else."""

import re
from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest

from lastcall.applications import Nowhere
from lastcall.connectors import CONNECTORS
from lastcall.dialects import DIALECTS
from lastcall.dialects.native.problems import CATALOGUE
from lastcall.domain.access import OPERATOR_ROLE, ROLES, SERVICE_ROLE, Permission
from lastcall.domain.audit import Action
from lastcall.domain.delivery import DeliveryState
from lastcall.domain.types import EndReason
from lastcall.http.operations import PATHS
from lastcall.metrics import Metrics
from lastcall.wire import Dialect, DialectSettings

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
COMMON = {field.encode_name for field in msgspec.structs.fields(DialectSettings)}
CODE = re.compile(r"`([^`\n]+)`")


def page(name: str) -> str:
    return (REFERENCE / name).read_text(encoding="utf-8")


def page_of(dialect: Dialect[DialectSettings]) -> str:
    if dialect.name == "native":
        return page("native-api.md")
    return page(f"dialects/{dialect.name}.md")


def rows(text: str, heading: str = "") -> list[list[str]]:
    """The cells of the tables below a heading, up to the next one."""
    part = text.partition(heading)[2].partition("\n## ")[0] if heading else text
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in part.splitlines()
        if line.startswith("|")
    ]


def first_cells(text: str, heading: str = "") -> set[str]:
    return {name for row in rows(text, heading) for name in CODE.findall(row[0])}


def plain(paths: Iterable[str]) -> set[str]:
    """Routes without methods and queries, and with their parameters all called alike."""
    return {re.sub(r"\{[^}]*\}", "{}", path.split(" ")[-1].split("?")[0]) for path in paths}


dialects = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda one: str(one.name))


@dialects
def test_every_route_is_in_the_reference(dialect: Dialect[DialectSettings]) -> None:
    told = plain(CODE.findall(page_of(dialect)))
    assert plain(route.path for route in dialect.routes) - told == set()


@dialects
def test_every_setting_is_in_the_reference(dialect: Dialect[DialectSettings]) -> None:
    told = {part for code in CODE.findall(page_of(dialect)) for part in re.split(r"[.\s]", code)}
    own = {field.encode_name for field in msgspec.structs.fields(dialect.settings)} - COMMON
    assert own - told == set()


@dialects
def test_every_interface_names_the_settings_all_have(dialect: Dialect[DialectSettings]) -> None:
    assert set(CODE.findall(page_of(dialect))) >= COMMON


def test_the_servers_own_paths() -> None:
    told = plain(CODE.findall(page("operations.md") + page("cli.md")))
    assert set(PATHS) - told == set()


def test_every_figure() -> None:
    page_of_figures = Metrics().page().decode("utf-8")
    kept = re.findall(r"^# TYPE (lastcall_\w+)", page_of_figures, re.MULTILINE)
    figures = {name for name in kept if not name.endswith("_created")}
    assert figures == first_cells(page("operations.md"), "## Figures")


def test_every_error() -> None:
    assert set(re.findall(r"^### `([\w-]+)`$", page("errors.md"), re.MULTILINE)) == set(CATALOGUE)


def test_every_permission_and_who_holds_it() -> None:
    table = [row for row in rows(page("permissions.md")) if ":" in row[0]]
    roles = [*ROLES.values(), OPERATOR_ROLE, SERVICE_ROLE]
    told = {row[0].strip("`"): [cell == "yes" for cell in row[1:-1]] for row in table}
    assert told == {one: [one in role.permissions for role in roles] for one in Permission}


def test_every_audited_action() -> None:
    assert first_cells(page("audit.md"), "## Actions") == set(Action)


def test_every_reason_to_end() -> None:
    assert first_cells(page("audit.md"), "## Why sessions end") == set(EndReason)


def test_every_state_of_a_delivery() -> None:
    told = first_cells(page("receipts.md"), "## The states of a delivery")
    assert told == set(DeliveryState)


@pytest.mark.parametrize("name", CONNECTORS)
def test_every_setting_of_a_connector(name: str) -> None:
    text = page("connectors.md") + page("connectors-vendors.md")
    part = text.partition(f"`{name}`")[2]
    told = set(CODE.findall(part))
    assert {one.name for one in CONNECTORS[name](Nowhere(), Nowhere()).settings} - told == set()


def pages() -> list[Path]:
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("path", pages(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(path: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#\s]+)", path.read_text(encoding="utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_every_page_is_in_the_index() -> None:
    index = ROOT / "docs" / "README.md"
    links = re.findall(r"\]\(([^)#\s]+)\)", index.read_text(encoding="utf-8"))
    listed = {(index.parent / link).resolve() for link in links}
    decisions = ROOT / "docs" / "adr"
    below = {path for path in (ROOT / "docs").rglob("*.md") if path.parent != decisions}
    assert below - listed - {index} == set()


def test_every_decision_is_listed() -> None:
    decisions = ROOT / "docs" / "adr"
    listed = set(re.findall(r"\]\((\d{4}-[\w-]+\.md)\)", (decisions / "README.md").read_text()))
    assert listed == {path.name for path in decisions.glob("0*.md")}


def test_every_promise_names_tests_that_exist() -> None:
    text = (ROOT / "docs" / "explanation" / "guarantees.md").read_text(encoding="utf-8")
    named = {code.partition("::") for code in CODE.findall(text) if code.startswith("tests/")}
    assert named, "no promise names a test"
    for path, _, test in named:
        assert (ROOT / path).exists(), path
        assert not test or f"def {test}(" in (ROOT / path).read_text(encoding="utf-8"), test
    promises = [row for row in rows(text) if row[0].startswith("**")]
    assert [row[0] for row in promises if "`tests/" not in row[-1]] == []


FRAGMENT = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*\.(added|changed|fixed|security)\.md")


def test_changelog_fragments_are_named_as_agreed() -> None:
    names = [path.name for path in (ROOT / "changelog.d").iterdir() if path.name != "README.md"]
    assert [name for name in names if not FRAGMENT.fullmatch(name)] == []
