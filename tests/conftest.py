"""What tests anywhere may ask for."""

import gc
import io
import logging
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import HealthCheck, settings

from lastcall import logs
from tests.postgres.fixtures import postgres, postgres_database, postgres_url

__all__ = ["postgres", "postgres_database", "postgres_url"]

settings.register_profile(
    "search", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.register_profile("suite", settings.get_profile("search"), derandomize=True)
settings.load_profile("suite")
"""The same examples every time, however long each takes; `--hypothesis-profile=search` draws new
ones."""

YOUNG = 20_000
"""New objects before the collector looks: a tenth of all time went into looking."""


def pytest_collection_finish() -> None:
    """What was imported and collected stays, and need not be gone through again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, *gc.get_threshold()[1:])


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """What is logged while the test runs."""
    stream = io.StringIO()
    before = logging.getLogger().level
    logs.configure("info", stream)
    yield stream
    for handler in list(logging.getLogger().handlers):
        if isinstance(handler, logging.StreamHandler) and handler.stream is stream:
            logging.getLogger().removeHandler(handler)
    logging.getLogger().setLevel(before)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()
