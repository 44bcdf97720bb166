"""How far the start has come, for whoever watches it: a line on a terminal, records in the log."""

import sys
import time
from typing import TextIO

import structlog

log = structlog.stdlib.get_logger("store")

EVERY = 2.0
"""Seconds between two records in the log."""


class LoadingShown:
    """Told how many sessions have been read, of how many. Says nothing of a short start."""

    def __init__(self, terminal: TextIO = sys.stderr) -> None:
        self._terminal = terminal
        self._told = time.monotonic()
        self._shown = False

    def __call__(self, done: int, total: int) -> None:
        if self._terminal.isatty():
            self._show(done, total)
        elif time.monotonic() - self._told >= EVERY:
            self._told = time.monotonic()
            log.info("loading", sessions=done, of=total)

    def _show(self, done: int, total: int) -> None:
        if done < total or self._shown:
            self._shown = done < total
            end = "" if self._shown else "\n"
            self._terminal.write(f"\rreading sessions: {done:,} of {total:,}{end}")
            self._terminal.flush()
