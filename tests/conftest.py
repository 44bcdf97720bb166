"""What tests anywhere may ask for."""

import gc

from hypothesis import HealthCheck, settings

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
