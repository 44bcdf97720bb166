"""Key files, made once."""

import asyncio
from pathlib import Path

import pytest

from tests.backup.making import keys_in


@pytest.fixture(scope="package")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return asyncio.run(keys_in(tmp_path_factory.mktemp("keys")))
