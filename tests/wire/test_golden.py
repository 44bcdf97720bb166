"""Every golden conversation, replayed; `LASTCALL_GOLDEN=write` writes what is answered now."""

import os
from pathlib import Path

import pytest

from lastcall.dialects import DIALECTS
from tests.wire.conversation import SOURCES, read, replay, write
from tests.world import make_world

GOLDEN = Path(__file__).parent / "golden"
STORIES = sorted(GOLDEN.rglob("*.http"))
BY_NAME = {dialect.name: dialect for dialect in DIALECTS}


@pytest.mark.parametrize("path", STORIES, ids=lambda path: f"{path.parent.name}/{path.stem}")
async def test_conversation(path: Path) -> None:
    story = read(path)
    assert story.source in SOURCES, "the first line says where the shapes come from"
    dialect = BY_NAME[path.parent.name]  # type: ignore[index]
    answers = await replay(story, dialect, await make_world(policy=story.policy))
    if os.environ.get("LASTCALL_GOLDEN") == "write":
        for exchange, answer in zip(story.exchanges, answers, strict=True):
            exchange.reply = answer
        write(story)
    for number, (exchange, answer) in enumerate(zip(story.exchanges, answers, strict=True), 1):
        assert answer == exchange.reply, f"exchange {number}: {exchange.request.splitlines()[0]}"
