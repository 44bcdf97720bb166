"""Watching a logout reach its applications, with a stopwatch."""

import sys
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from lastcall.cli.asking import Where, ask_server
from lastcall.cli.output import Exit, put, put_json, say, table
from lastcall.control.channel import NobodyThere
from lastcall.control.records import Result

USUAL_WAIT = 10
EVERY = 0.1
"""Seconds between two looks."""

COLUMNS = ("APPLICATION", "STATE", "AFTER", "TRIES", "WHAT IS LEFT")
SETTLED = ("acknowledged", "verified", "refused", "unreachable", "cannot-be-told")
WELL = ("acknowledged", "verified")
SURE = ("queued", "sent", "refused", "unreachable", "cannot-be-told", *WELL)
"""From the least sure; of several states of one application the first is shown."""


def watch(where: Where, receipt: str, within: int) -> Exit:
    """Until nothing more can happen in time; `PARTIAL` when something is left somewhere."""
    end = time.time() + within
    screen = Screen(quiet=where.json)
    try:
        while True:
            shown = ask_server(where, "receipts.show", receipt=receipt, limit=1_000)
            screen.show(shown)
            if shown["finished"] or _hopeless(shown, end):
                break
            time.sleep(EVERY)
    except NobodyThere:
        say("no server is running; what is left is told once one is. To watch that:")
        say(f"  lastcall receipts show {receipt} --wait")
        return Exit.PARTIAL
    if where.json:
        put_json(shown)
    else:
        screen.end(shown)
    return Exit.PARTIAL if shown["left_total"] or not shown["complete"] else Exit.OK


class Screen:
    """A table that is drawn over itself on a terminal; elsewhere a line for each change."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._over = sys.stdout.isatty() and not quiet
        self._drawn = 0
        self._seen: dict[str, Sequence[Any]] = {}

    def show(self, shown: Result) -> None:
        if self._quiet:
            return
        now = rows(shown)
        if self._over:
            lines = [*table(COLUMNS, now), f"{_clock(shown):.2f} s"]
            erase = f"\x1b[{self._drawn}F\x1b[J" if self._drawn else ""
            put(erase + "\n".join(lines))
            self._drawn = len(lines)
            return
        for row in now:
            name, state, _, tries, left = row
            if self._seen.get(name) != (state, tries):
                self._seen[name] = (state, tries)
                words = ": ".join(filter(None, (state, left)))
                put(f"{_clock(shown):6.2f} s  {name}  {words}")

    def end(self, shown: Result) -> None:
        if not self._over:
            put()
            for line in table(COLUMNS, rows(shown)):
                put(line)
        put()
        put(str(shown["verdict"]))


def rows(shown: Result) -> list[Sequence[Any]]:
    """One for each application."""
    found: list[Sequence[Any]] = []
    for one in shown["applications"]:
        state = next(state for state in SURE if state in one["states"])
        mine = [row for row in shown["deliveries"] if row["application"] == one["id"]]
        settled = [row["settled_at"] for row in mine if row["state"] in WELL]
        after = ""
        if state in WELL and settled:
            after = f"{_seconds(shown['at'], max(settled)):.2f} s"
        tries = sum(row["tries"] for row in mine)
        worst: Result = next((row for row in mine if row["state"] == state), {})
        name = one.get("name") or one["id"]
        found.append((name, state, after, tries or "", _left(state, worst)))
    return found


def _left(state: str, row: Mapping[str, Any]) -> str:
    """What is in the way of an application that has not obeyed."""
    if state in WELL:
        return ""
    until = f"its sessions may last until {row.get('until', 'long')}"
    if state == "cannot-be-told":
        return until
    why = row.get("last_error") or ("" if state == "queued" else "no answer")
    if state in SETTLED:
        return f"{why}; {until}"
    again = f"next try {row['next_try']}" if why and "next_try" in row else ""
    return "; ".join(filter(None, (why, again)))


def _hopeless(shown: Result, end: float) -> bool:
    """Whether the time is up, or nothing will be tried again before it is."""
    if time.time() >= end:
        return True
    open_ones = [row for row in shown["deliveries"] if row["state"] not in SETTLED]
    waiting = [row for row in open_ones if row.get("last_error")]
    later = [row for row in waiting if _instant(row["next_try"]) > end]
    more = "next" in shown or not shown["complete"]
    return bool(open_ones) and len(later) == len(open_ones) and not more


def _clock(shown: Result) -> float:
    """Since the logout; still once everything has settled."""
    settled = [row["settled_at"] for row in shown["deliveries"] if "settled_at" in row]
    if shown["finished"]:
        return _seconds(shown["at"], max(settled, default=shown["at"]))
    return max(0.0, time.time() - _instant(shown["at"]))


def _seconds(begin: str, end: str) -> float:
    return max(0.0, _instant(end) - _instant(begin))


def _instant(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
