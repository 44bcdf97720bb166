"""The composition root: the one package that knows which backends are in use."""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from lastcall.control.operations import run
from lastcall.control.records import Result
from lastcall.dialects import DIALECTS
from lastcall.main.apps import app_rules, declare_apps
from lastcall.main.backends import Backends, opened
from lastcall.main.errors import CannotStart, StoreRestored
from lastcall.main.migrating import schema
from lastcall.main.serving import Ready, serve
from lastcall.settings import Configured, read_file

__all__ = [
    "Backends",
    "CannotStart",
    "Ready",
    "StoreRestored",
    "accept_restored",
    "configured",
    "offline",
    "opened",
    "schema",
    "serve",
]


def configured(path: Path, environ: Mapping[str, str] = os.environ) -> Configured:
    """Raises `SettingsWrong`."""
    kinds: dict[str, type[msgspec.Struct]] = {one.name: one.settings for one in DIALECTS}
    settings = read_file(path, environ, kinds, app_rules)
    return Configured(settings=settings, base=path.absolute().parent)


async def offline(configured: Configured, operation: str, parameters: Mapping[str, Any]) -> Result:
    """One operation on a store no server of this configuration has open."""
    async with opened(configured, guest=True) as backends:
        await declare_apps(backends.env, configured.settings)
        return await run(backends.env, operation, parameters)


async def accept_restored(configured: Configured) -> bool:
    """End every session in a store that is older than it was; False without cause.

    A database file is judged by its witness. On PostgreSQL the operator's word is enough, for
    there may be no node left that remembers the newer database.
    """
    if not configured.settings.store.on_postgres:
        with suppress(StoreRestored):
            async with opened(configured, guest=True):
                return False
    async with opened(configured, accept_rollback=True, guest=True):
        return True
