"""What end-to-end tests share: one demonstration for all that only look."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.server import Server, demo


@pytest.fixture(scope="session")
def demo_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A demonstration that tests share; those that change accounts start their own."""
    with demo(tmp_path_factory.mktemp("demo")) as server:
        yield server


@pytest.fixture
def own_demo(tmp_path: Path) -> Iterator[Server]:
    """A demonstration for this test alone."""
    with demo(tmp_path / "demo") as server:
        yield server
