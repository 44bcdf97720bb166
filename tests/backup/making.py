"""Stores with sessions in them, in folders with all that a server has, and backups of them."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from lastcall.authority.backup import back_up
from lastcall.domain.access import operator
from lastcall.domain.backup import Manifest
from lastcall.domain.origin import Origin
from lastcall.domain.session import State, state_of
from lastcall.domain.types import DialectName, TenantId
from lastcall.main import configured, opened
from lastcall.main.backups import own_keys, restore_backup, verify_backup
from lastcall.settings import Configured
from lastcall.stores.sqlite import SqliteStore
from tests.contract.rows import NOW, fill, token_of

TENANT = TenantId("default")
ORIGIN = Origin(dialect=DialectName("command-line"))
KEYS = ("lastcall.db.key", "lastcall.db.signing")


async def keys_in(folder: Path) -> Path:
    """A folder with the key files of a server; they take a second to make, so others copy them."""
    async with opened(configuration(folder)):
        return folder


def configuration(folder: Path, keys: Path | None = None) -> Configured:
    """Of a server that keeps everything in `folder`, its keys those of another one."""
    folder.mkdir(exist_ok=True)
    for name in KEYS if keys else ():
        assert keys is not None
        shutil.copy(keys / name, folder / name)
    file = folder / "lastcall.toml"
    file.write_text('[store]\nurl = "sqlite:lastcall.db"\n')
    return configured(file, {})


async def backed_up(settings: Configured, to: Path) -> Manifest:
    async with opened(settings) as backends:
        return await back_up(backends.env, operator(TENANT, ORIGIN), str(to))


async def filled(settings: Configured, sessions: int) -> None:
    store = await SqliteStore.open(settings.store)
    await fill(store, sessions, TENANT)
    await store.close()


def is_good(folder: Path, settings: Configured) -> bool:
    return verify_backup(folder, own_keys(settings)).wrong == ""


def restored(settings: Configured, folder: Path, *, replace: bool = True) -> Path | None:
    return restore_backup(settings, folder, own_keys(settings), replace=replace).aside


async def alive(store: SqliteStore, numbers: Sequence[int]) -> list[int]:
    """Those whose tokens are still good; all of them must be known."""
    good = []
    for number in numbers:
        found = await store.find(token_of(number, TENANT))
        assert found is not None
        if state_of(found.session, NOW, found.revoked_before) is State.LIVE:
            good.append(number)
    return good
