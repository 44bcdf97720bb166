"""The heads file: grows at its end, is private, survives a torn line, repeats nothing."""

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from lastcall.authority.audit_heads import sign_head
from lastcall.stores.heads import HeadsFile
from tests.authority.acts import begin
from tests.verify.proving import Ed25519Signer, exported, prove
from tests.world import TENANT, make_world


async def test_one_line_for_each_new_head(tmp_path: Path) -> None:
    world = await make_world()
    env = replace(world.env, signer=Ed25519Signer())
    heads = HeadsFile(tmp_path / "heads.jsonl")
    assert await heads.add(await sign_head(env))
    assert not await heads.add(await sign_head(env)), "nothing has happened in between"
    await begin(world, "john")
    assert await heads.add(await sign_head(env))
    lines = [json.loads(line) for line in heads.path.read_text().splitlines()]
    assert [line["seq"] for line in lines] == [0, 1]
    assert stat.S_IMODE(heads.path.stat().st_mode) == 0o600


async def test_what_a_crash_tore_is_left_as_it_is(tmp_path: Path) -> None:
    world = await make_world()
    path = tmp_path / "heads.jsonl"
    path.write_text('{"seq":1,"at')
    await HeadsFile(path).add(await sign_head(world.env))
    torn, whole = path.read_text().splitlines()
    assert torn == '{"seq":1,"at'
    assert json.loads(whole)["seq"] == 0


async def test_a_file_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    world = await make_world()
    with pytest.raises(OSError, match="Is a directory"):
        await HeadsFile(tmp_path).add(await sign_head(world.env))


async def test_an_export_that_is_older_than_a_head_is_told_from_a_whole_one() -> None:
    good = await prove()
    await begin(good.world, "john")
    assert good.check(export=await exported(good.world, TENANT)).good
