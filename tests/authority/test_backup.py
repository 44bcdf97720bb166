"""Backing up: the operator's alone, described and signed, and on record before it has a name."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest

from lastcall.authority.backup import back_up, fingerprint
from lastcall.control.operations import run
from lastcall.domain.access import operator
from lastcall.domain.backup import Copied, claims_of, manifest_of
from lastcall.domain.errors import Denied, Invalid, StoreUnavailable
from tests.authority.acts import audit, begin, last_event, origin
from tests.world import TENANT, World, make_world

BOSS = operator(TENANT, origin())
COPIED = Copied(
    file="lastcall.db",
    size=4_096,
    sha256="ab" * 32,
    schema=3,
    batch=7,
    seq=9,
    digest="cd" * 32,
    rows={"sessions": 5},
)


@dataclass
class FakeBackups:
    """Implements `lastcall.ports.Backups`: what would be in folders, and what was done in turn."""

    world: World
    fails: bool = False
    done: list[str] = field(default_factory=list)
    manifests: dict[str, str] = field(default_factory=dict)

    @asynccontextmanager
    async def draft(self, to: str) -> AsyncIterator["FakeDraft"]:
        if to in self.manifests:
            raise Invalid("folder", "exists already")
        yield FakeDraft(self, to)


@dataclass
class FakeDraft:
    backups: FakeBackups
    to: str
    copied: Copied = COPIED
    manifest: str = ""

    async def describe(self, manifest: str) -> None:
        if self.backups.fails:
            raise StoreUnavailable("no space left")
        self.manifest = manifest

    async def publish(self) -> None:
        actions = [one.event.action for one in await audit(self.backups.world)]
        self.backups.done.append(actions[-1])
        self.backups.manifests[self.to] = self.manifest


async def a_world() -> tuple[World, FakeBackups]:
    world = await make_world()
    backups = FakeBackups(world)
    world.env = replace(world.env, backups=backups)
    return world, backups


async def test_it_is_signed_and_on_record_before_it_has_its_name() -> None:
    world, backups = await a_world()
    manifest = await back_up(world.env, BOSS, "/b/today")
    assert manifest.copied == COPIED
    assert manifest.key == fingerprint(world.vault)
    shown = json.loads(backups.manifests["/b/today"])
    assert manifest_of(shown["backup"]) == manifest
    assert shown["signed"].count(".") == 2
    assert backups.done == ["backed-up"]
    (record,) = [one.event for one in await audit(world) if one.event.action == "backed-up"]
    assert (record.target, record.detail) == ("backup:/b/today", {"seq": "9", "sha256": "ab" * 32})


async def test_nobody_else_may_not_even_an_administrator() -> None:
    world, backups = await a_world()
    admin = await begin(world, "admin")
    with pytest.raises(Denied):
        await back_up(world.env, admin.caller, "/b/today")
    assert await last_event(world) == ("backed-up", "refused", "denied")
    assert not backups.manifests


async def test_what_cannot_be_written_is_not_on_record() -> None:
    world, backups = await a_world()
    before = len(await audit(world))
    backups.fails = True
    with pytest.raises(StoreUnavailable):
        await back_up(world.env, BOSS, "/b/today")
    assert len(await audit(world)) == before


async def test_a_store_with_tools_of_its_own() -> None:
    world = await make_world()
    with pytest.raises(Invalid, match="tools of its database"):
        await back_up(world.env, BOSS, "/b/today")


async def test_the_operation_names_its_folder_from_the_root() -> None:
    world, _ = await a_world()
    with pytest.raises(Invalid, match="from the root"):
        await run(world.env, "backup.create", {"text": "today"})
    made = await run(world.env, "backup.create", {"text": "/b/today"})
    assert (made["sha256"], made["audit"]["seq"]) == ("ab" * 32, 9)


async def test_only_a_whole_manifest_is_one() -> None:
    world, _ = await a_world()
    claims = claims_of(await back_up(world.env, BOSS, "/b/today"))
    assert manifest_of(claims) is not None
    copied = claims["copied"]
    assert isinstance(copied, dict)
    for wrong in (
        None,
        {},
        {**claims, "more": 1},
        {**claims, "made": "today"},
        {**claims, "copied": {}},
        {**claims, "copied": {**copied, "size": "big"}},
        {**claims, "copied": {**copied, "rows": {"sessions": "many"}}},
    ):
        assert manifest_of(wrong) is None
