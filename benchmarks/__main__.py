"""`make bench`: several rounds of every figure, a table, and the report beside this file."""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks import machine, report
from benchmarks.explained import explained
from benchmarks.field import QUICK, Run, Sizes
from benchmarks.figures import results
from benchmarks.processes import CORES, Unmeasured
from benchmarks.scenes import SCENES, Turn
from benchmarks.wrk import WentWrong

UNMEASURED = (Unmeasured, WentWrong, RuntimeError, OSError, subprocess.SubprocessError)


def main() -> None:
    asked = _arguments()
    for name in [name for name in os.environ if name.startswith("LASTCALL_")]:
        del os.environ[name]  # it is about somebody's own server, and its store
    began, facts = time.monotonic(), machine.facts()
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="lastcall-bench-"))
        run = Run(
            sizes=QUICK if asked.quick else Sizes(many=asked.many),
            stack=stack,
            folder=Path(folder),
            say=_say,
            with_peers=not asked.quick,
        )
        rounds = _rounds(run, asked.only or list(SCENES), 1 if asked.quick else asked.rounds)
        found = results(rounds, run.absent)
        why = [] if asked.quick else explained(run, found)
    remarks = [f"It took {time.monotonic() - began:.0f} seconds."]
    if len(CORES) < 2:
        remarks.append("One core only: receivers and clients take their share of it.")
    print(report.table(found))
    print("\n".join(["", *remarks]))
    whole = not asked.only and not asked.quick and asked.many >= Sizes().many
    into = asked.into or (report.FOLDER if whole else None)
    if into is not None:
        report.write(facts, rounds, found, remarks, why, into)
        print(f"written: {into.name}/report.md, report.json and plots")


def _rounds(run: Run, wanted: Sequence[str], rounds: int) -> list[Mapping[str, Any]]:
    """What cannot be measured is told at once, and once more in the report."""
    turns: dict[str, Turn] = {}
    for name in wanted:
        try:
            turns[name] = SCENES[name](run)
        except UNMEASURED as error:
            _gone(run, name, error)
    done: list[Mapping[str, Any]] = []
    for number in range(rounds):
        measured: dict[str, Any] = {}
        for name in tuple(turns):
            _say(f"round {number + 1} of {rounds}: {name}")
            try:
                measured[name] = turns[name]()
            except UNMEASURED as error:
                del turns[name]
                _gone(run, name, error)
        done.append(measured)
    return done


def _gone(run: Run, name: str, error: Exception) -> None:
    run.absent[name] = str(error) or type(error).__name__
    _say(f"{name} cannot be measured: {run.absent[name]}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench ARGS='...'", description=__doc__)
    parser.add_argument(
        "--only", choices=SCENES, nargs="+", help="these; the report stays as it is"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--into", type=Path, help="a folder for the report, also of a part")
    parser.add_argument(
        "--many",
        type=int,
        default=Sizes().many,
        help="sessions in the large store; with fewer than %(default)s the report stays as it is",
    )
    parser.add_argument(
        "--quick", action="store_true", help="one short round without peers, to see that it works"
    )
    return parser.parse_args()


def _say(text: str) -> None:
    print(f"... {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
