"""Chromium for tests: one patience for everything that a browser is waited for."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, BrowserContext, sync_playwright

CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE = 180_000.0
"""Milliseconds for a browser to start, and for each thing it is to do."""


@contextmanager
def browser(*flags: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=CHROMIUM, args=[*FLAGS, *flags], timeout=PATIENCE
        )
        yield started
        started.close()


@contextmanager
def profile(of: Browser, **how: Any) -> Iterator[BrowserContext]:
    """One with nothing in it, whose pages all wait as long."""
    context = of.new_context(**how)
    context.set_default_timeout(PATIENCE)
    yield context
    context.close()
