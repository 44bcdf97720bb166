"""The machine and the versions that figures belong to."""

import os
import platform
import re
import subprocess
import tempfile
from importlib.metadata import version
from pathlib import Path

import apsw

from benchmarks import contestants
from benchmarks.processes import CORES, Unmeasured, program
from tests.postgres.cluster import binaries

PACKAGES = ("lastcall", "uvloop", "uvicorn", "aiohttp", "cryptography", "joserfc", "msgspec")

PROGRAMS = ("nginx", "wrk", "redis-server", "postgres")


def facts() -> dict[str, str]:
    gibibytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": f"{_processor()}, {len(CORES)} cores to use",
        "memory": f"{gibibytes:.1f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "temporary folder": _file_system(Path(tempfile.gettempdir())),
        "load before": f"{os.getloadavg()[0]:.2f}",
        "Python": platform.python_version(),
        "SQLite": apsw.sqlite_lib_version(),
        **{name: version(name) for name in PACKAGES},
        **{name: found for name in PROGRAMS if (found := _said(name))},
        **contestants.versions(),
    }


def _processor() -> str:
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    named = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return named[1] if named else platform.machine()


def _file_system(path: Path) -> str:
    """The kind of the mount a path lies on."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    above = {str(one) for one in (path.resolve(), *path.resolve().parents)}
    return max((len(point), kind) for _, point, kind, *_ in mounts if point in above)[1]


def _said(name: str) -> str:
    """The version a program tells; empty when it is not here."""
    try:
        found = binaries() / name if name == "postgres" else program(name)
    except (Unmeasured, AssertionError):
        return ""
    option = "-v" if name in ("nginx", "wrk") else "--version"
    told = subprocess.run([found, option], capture_output=True, text=True, check=False)
    version = re.search(r"\d+\.\d+(\.\d+)?", told.stdout + told.stderr)
    return version[0] if version else ""
