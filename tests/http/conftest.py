"""What the tests of the assembly share."""

import io
import logging
from collections.abc import Iterator

import pytest
import structlog

from lastcall import logs


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
