"""The report: a table for the terminal, Markdown and JSON for the tree, one plot a group."""

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from benchmarks.explained import Explanation
from benchmarks.figures import Figure, Result, Round

FOLDER = Path(__file__).parent
TITLES = {
    "checks": "Checking",
    "logouts": "Logging out over HTTP",
    "million": "A million sessions",
    "nodes": "Three nodes on one PostgreSQL",
    "deliveries": "Telling applications",
    "hanging": "Receivers that hang",
    "verbs": "The verbs by themselves",
    "guard": "A guard in the application",
}
WORDS = {True: "met", False: "NOT MET", None: ""}


def shown(number: float) -> str:
    if abs(number) >= 100:
        return f"{number:,.0f}"
    return f"{number:.1f}" if abs(number) >= 10 else f"{number:.2f}"


def bar_of(figure: Figure) -> str:
    if figure.bar is None:
        return ""
    return f"{'<=' if figure.at_most else '>='} {figure.bar:,g}"


def row(result: Result) -> tuple[str, str, str, str]:
    """Name, value, bar, and the lowest and the highest round."""
    figure, value = result.figure, result.value
    bar = f"{bar_of(figure)} {WORDS[result.met]}".strip()
    if value is None:
        return figure.name, "not measured", bar, result.why
    span = f"{shown(min(result.rounds))} .. {shown(max(result.rounds))}"
    return figure.name, f"{shown(value)} {figure.unit}", bar, span


def table(results: Sequence[Result]) -> str:
    lines: list[str] = []
    for group, some in _groups(results).items():
        lines += ["", TITLES[group]]
        for name, value, bar, span in map(row, some):
            lines.append(f"  {name:58} {value:>14}   {bar:18} {span}".rstrip())
    return "\n".join(lines)


def write(
    facts: Mapping[str, str],
    rounds: Sequence[Round],
    results: Sequence[Result],
    remarks: Sequence[str],
    explanations: Sequence[Explanation] = (),
    folder: Path = FOLDER,
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    raw = {"machine": facts, "remarks": remarks, "rounds": rounds}
    (folder / "report.json").write_text(json.dumps(raw, indent=1) + "\n", encoding="utf-8")
    text = "\n".join(_markdown(facts, results, remarks, explanations)) + "\n"
    (folder / "report.md").write_text(text, encoding="utf-8")
    for group, some in _groups(results).items():
        measured = [one for one in some if one.rounds]
        (folder / f"report-{group}.svg").write_text(plot(measured), encoding="utf-8")


def _markdown(
    facts: Mapping[str, str],
    results: Sequence[Result],
    remarks: Sequence[str],
    explanations: Sequence[Explanation],
) -> list[str]:
    rounds = max((len(one.rounds) for one in results), default=0)
    lines = [
        "# Figures",
        "",
        f"Written by `make bench`: medians of {rounds} rounds, the figures in turns in each. What",
        "they mean and how they are taken: [figures](../docs/explanation/figures.md).",
        "",
        *(f"* {remark}" for remark in remarks),
        "",
        "## The bars",
        "",
        "| figure | bar | measured | |",
        "|---|---:|---:|---|",
        *(_held(one) for one in results if one.figure.bar is not None),
    ]
    for group, some in _groups(results).items():
        lines += ["", f"## {TITLES[group]}", "", "| figure | median | bar | rounds |"]
        lines += ["|---|---:|---|---|"]
        lines += ["| " + " | ".join(row(one)) + " |" for one in some]
        lines += ["", f"![{TITLES[group]}](report-{group}.svg)"]
    lines += _unmet(explanations)
    lines += ["", "## The machine", "", "| | |", "|---|---|"]
    return [*lines, *(f"| {name} | {value} |" for name, value in facts.items())]


def _held(result: Result) -> str:
    name, value, _, why = row(result)
    word = WORDS[result.met] if result.rounds else why
    return f"| {name} | {bar_of(result.figure)} | {value} | {word} |"


def _unmet(explanations: Sequence[Explanation]) -> list[str]:
    if not explanations:
        return []
    lines = ["", "## What is not met, and why"]
    for one in explanations:
        lines += ["", f"### {one.figure.name}", "", one.text or "Nobody has said why yet."]
    profiles = {one.figure.group: one.profile for one in explanations if one.profile}
    for group, profile in profiles.items():
        lines += ["", f"<details><summary>Profile of this run: {TITLES[group]}</summary>", ""]
        lines += ["```text", profile, "```", "", "</details>"]
    return lines


def _groups(results: Sequence[Result]) -> dict[str, list[Result]]:
    found: dict[str, list[Result]] = {}
    for result in results:
        found.setdefault(result.figure.group, []).append(result)
    return found


NAMES, BARS, LINE = 400, 300, 24
"""Pixels: the width of the names, of the longest bar, the height of a line."""


def plot(results: Sequence[Result]) -> str:
    """Bars, one scale a unit; a tick is each round, a long red line what the figure is held to."""
    longest: dict[str, float] = {}
    for one in results:
        seen = max(*one.rounds, one.figure.bar or 0, longest.get(one.figure.unit, 0))
        longest[one.figure.unit] = seen
    height, width = LINE * len(results) + 10, NAMES + BARS + 110
    size = f'width="{width}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">',
        f'<rect {size} fill="white"/>',
    ]
    for number, one in enumerate(results):
        scale = BARS / (longest[one.figure.unit] or 1)
        parts += _bar(one, 5 + LINE * number, scale)
    return "\n".join([*parts, "</svg>", ""])


def _bar(one: Result, top: int, scale: float) -> list[str]:
    def mark(at: float, above: int, below: int, color: str) -> str:
        x = NAMES + max(0, at) * scale
        return (
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top + above}" y2="{top + below}" '
            f'stroke="{color}" stroke-width="1.5"/>'
        )

    name, value, *_ = row(one)
    bar = one.figure.bar
    long = max(0, one.value or 0) * scale
    return [
        f'<text x="{NAMES - 8}" y="{top + 15}" text-anchor="end">{escape(name)}</text>',
        f'<rect x="{NAMES}" y="{top + 4}" width="{long:.1f}" height="14" fill="#9db8d6"/>',
        *(mark(at, 8, 14, "#33506f") for at in one.rounds),
        *([] if bar is None else [mark(bar, 0, 22, "#c0392b")]),
        f'<text x="{NAMES + BARS + 8}" y="{top + 15}">{escape(value)}</text>',
    ]
