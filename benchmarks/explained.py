"""Why a bar is not met: the text kept in `limits/`, and a profile taken of the run itself."""

import io
import pstats
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.checks import CONNECTIONS
from benchmarks.field import Run, bearer, checks_of
from benchmarks.figures import Figure, Result
from benchmarks.logouts import AT_ONCE
from benchmarks.million import end_tenant
from benchmarks.processes import BESIDE, Unmeasured, ended, program, started
from benchmarks.servers import Server, lastcall
from benchmarks.wrk import Load, WentWrong, load, request

TEXTS = Path(__file__).parent / "limits"
LINES = 25
"""Functions of a profile that are shown."""

SECONDS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    figure: Figure
    text: str
    profile: str


def explained(run: Run, found: Sequence[Result]) -> list[Explanation]:
    """One for each bar that is not met. A profile is taken once for each scene."""
    profiles: dict[str, str] = {}
    explanations = []
    for one in found:
        if one.met is not False:
            continue
        figure = one.figure
        if figure.group in LOADS and figure.group not in profiles:
            run.say(f"profiling: {figure.group}")
            profiles[figure.group] = _profile(run, figure.group)
        text = TEXTS / f"{figure.limit}.md"
        explanations.append(
            Explanation(
                figure=figure,
                text=text.read_text(encoding="utf-8").strip() if text.is_file() else "",
                profile=profiles.get(figure.group, ""),
            )
        )
    return explanations


def _checks(run: Run, server: Server) -> None:
    requests = run.requests("profiled", checks_of(run.sizes.few))
    load(Load(requests=requests, port=server.port, connections=CONNECTIONS, seconds=SECONDS))


def _logouts(run: Run, server: Server) -> None:
    some = [request("POST", "/v1/logout", [bearer(n)]) for n in range(run.sizes.spare)]
    requests = run.requests("profiled", some)
    what = Load(
        requests=requests, port=server.port, connections=AT_ONCE, seconds=SECONDS, once=True
    )
    load(what)


def _million(run: Run, server: Server) -> None:
    with suppress(Unmeasured):  # a profile slows it down, and a part of it says enough
        end_tenant(server, longest=3 * SECONDS)


LOADS: Mapping[str, Callable[[Run, Server], None]] = {
    "checks": _checks,
    "logouts": _logouts,
    "million": _million,
}


def _profile(run: Run, group: str) -> str:
    home = {"checks": "few", "logouts": "spare", "million": "many"}[group]
    try:
        shown = [_by_function(run, group, run.copy(getattr(run, home), "profiled"))]
        shown.append(_by_symbol(run, group, run.copy(getattr(run, home), "profiled")))
    except (Unmeasured, WentWrong, subprocess.SubprocessError, OSError) as error:
        return f"It could not be taken: {error}"
    return "\n\n".join(one for one in shown if one)


def _by_function(run: Run, group: str, home: Path) -> str:
    """By Python's profiler: which functions of the event loop's thread take the time."""
    into = run.folder / "profile"
    command = (sys.executable, "-m", "benchmarks.profiled", into, "serve")
    with ExitStack() as stack:
        server = lastcall(stack, home, command=command)
        server.process.send_signal(signal.SIGUSR1)
        LOADS[group](run, server)
        ended(server.process)
    text = io.StringIO()
    stats = pstats.Stats(str(into), stream=text).strip_dirs()
    stats.sort_stats("tottime").print_stats(LINES)
    _, _, rows = text.getvalue().partition("Ordered by")
    return f"Python functions, ordered by{rows.rstrip()}"


def _by_symbol(run: Run, group: str, home: Path) -> str:
    """By `perf`, where it is there and allowed: the interpreter, libraries and the kernel."""
    try:
        perf = program("perf")
    except Unmeasured:
        return ""
    into = run.folder / "perf.data"
    with ExitStack() as stack:
        server = lastcall(stack, home)
        command: list[str | Path] = [perf, "record", "-q", "-F", "499", "-o", into]
        command += ["-p", str(server.process.pid)]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with started(command, core=BESIDE, **quiet) as recording:
            time.sleep(0.5)
            LOADS[group](run, server)
            ended(recording)
    asking: list[str | Path] = [perf, "report", "-q", "--stdio", "--no-children", "-i", into]
    told = subprocess.run(
        [*asking, "--percent-limit", "1", "--sort", "dso,symbol"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    rows = [line.rstrip(" -") for line in told.splitlines() if re.match(r"\s+\d", line)]
    return "\n".join(["Symbols, by samples of the processor:", *rows[:LINES]]) if rows else ""
