"""`make bench`: several rounds of every figure, a table, and the report beside this file."""

import argparse
import sys
import time
from contextlib import ExitStack
from typing import Any

from benchmarks import machine, report
from benchmarks.checks import Checks, checks, missing
from benchmarks.figures import results
from benchmarks.processes import CORES, scene

SCENES = ("deliveries", "hanging", "verbs", "checks")


def main() -> None:
    asked = _arguments()
    began, facts = time.monotonic(), machine.facts()
    wanted = [name for name in SCENES if not asked.only or name in asked.only]
    remarks = _remarks(wanted)
    rounds: list[dict[str, Any]] = []
    with ExitStack() as stack:
        servers = None
        if "checks" in wanted and not missing():
            _say("making houses of 10,000 and 100,000 sessions")
            servers = stack.enter_context(checks())
        for number in range(asked.rounds):
            _say(f"round {number + 1} of {asked.rounds}")
            rounds.append(_round(wanted, asked, servers))
    found = results(rounds)
    print(report.table(found))
    print("\n".join(["", *remarks, f"{time.monotonic() - began:.0f} s"]))
    if not asked.only:
        report.write(facts, rounds, found, remarks)
        print(f"written: {report.FOLDER.name}/report.md, report.json and plots")


def _round(wanted: list[str], asked: argparse.Namespace, servers: Checks | None) -> dict[str, Any]:
    measured: dict[str, Any] = {}
    if "deliveries" in wanted:
        measured["deliveries"] = scene("deliveries", str(asked.people))
    if "hanging" in wanted:
        measured["hanging"] = scene("hanging", "1000")
    if "verbs" in wanted:
        measured["verbs"] = scene("verbs", str(asked.logouts))
    if servers is not None:
        measured["checks"] = servers.round(asked.seconds)
    return measured


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench ARGS='...'", description=__doc__)
    parser.add_argument("--only", choices=SCENES, nargs="+", help="these, and write no report")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--people", type=int, default=500, help="each in 40 applications (%(default)s)"
    )
    parser.add_argument(
        "--logouts", type=int, default=1_000, help="of each kind, twice (%(default)s)"
    )
    parser.add_argument("--seconds", type=int, default=3, help="of checks on end (%(default)s)")
    return parser.parse_args()


def _remarks(wanted: list[str]) -> list[str]:
    remarks = []
    if len(CORES) < 2:
        remarks.append("One core only: receivers and clients take their share of it.")
    if "checks" in wanted and (gone := missing()):
        remarks.append(f"No figures of checks: {' and '.join(gone)} could not be had.")
    return remarks


def _say(text: str) -> None:
    print(f"... {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
