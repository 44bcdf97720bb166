"""What an operator asks about applications and receipts, done through the verbs."""

from typing import Any

import pytest

from lastcall.control.operations import READING, run
from lastcall.control.records import Result
from lastcall.domain.errors import Conflict, Invalid, NotFound, Unfinished
from tests.authority.acts import audit, begin
from tests.world import World, make_world

ABOUT = {"name": "wiki", "connector": "webhook", "settings": {"url": "https://wiki.example"}}


@pytest.fixture
async def world() -> World:
    return await make_world()


async def ask(world: World, operation: str, **given: Any) -> Result:
    return await run(world.env, operation, given)


async def ended(world: World) -> str:
    """The receipt of a logout that owes the wiki a notice."""
    about = {**ABOUT, "always": True, "timeout": 2_000}
    await ask(world, "apps.add", about=about, secrets={"secret": "s3cret"})
    await begin(world, "john")
    return str((await ask(world, "logout", user="john"))["receipt"])


async def test_an_application_is_added_and_listed_without_its_secrets(world: World) -> None:
    made = (await ask(world, "apps.add", about=ABOUT, secrets={"secret": "s3cret"}))["app"]
    assert (made["name"], made["secrets"], made["can"]) == ("wiki", ["secret"], "session")
    assert await ask(world, "apps.list") == {"apps": [made]}
    assert "s3cret" not in str(made)
    with pytest.raises(Conflict):
        await ask(world, "apps.add", about=ABOUT)
    for wrong in ({"name": "x", "can": "fly"}, {"connector": "webhook"}, {**ABOUT, "id": "c_1"}):
        with pytest.raises(Invalid):
            await ask(world, "apps.add", about=wrong)


async def test_one_is_tried(world: World) -> None:
    await ask(world, "apps.add", about=ABOUT)
    tried = await ask(world, "apps.test", app="wiki")
    assert (tried["outcome"], tried["means"]) == ("done", "it takes notices")
    with pytest.raises(NotFound):
        await ask(world, "apps.test", app="none")


async def test_what_it_is_owed_and_trying_that_again(world: World) -> None:
    receipt = await ended(world)
    page = await ask(world, "apps.deliveries", app="wiki", limit=1)
    (row,) = page["deliveries"]
    assert (row["receipt"], row["state"], row["account"]) == (receipt, "queued", "john")
    assert page["next"] == row["id"]
    rest = await ask(world, "apps.deliveries", app="wiki", after=page["next"])
    assert rest == {"deliveries": [], "next": None}
    assert await ask(world, "apps.deliveries", app="wiki", state="refused") == rest
    with pytest.raises(Invalid):
        await ask(world, "apps.deliveries", app="wiki", state="lost")
    both = {"redelivered": [row["id"]], "busy": []}
    assert await ask(world, "apps.redeliver", app="wiki") == both
    assert await ask(world, "apps.redeliver", delivery=row["id"]) == both


async def test_a_receipt_is_shown_and_had_signed_once_it_is_finished(world: World) -> None:
    receipt = await ended(world)
    shown = await ask(world, "receipts.show", receipt=receipt)
    assert (shown["finished"], shown["totals"]) == (False, {"queued": 1})
    with pytest.raises(Unfinished):
        await ask(world, "receipts.sign", receipt=receipt)
    await begin(world, "owner")
    await ask(world, "apps.list")
    other = await ask(world, "logout", session=(await begin(world, "owner")).session.id)
    with pytest.raises(NotFound):
        await ask(world, "receipts.show", receipt="r_none", tenant="other")
    assert other["receipt"] != receipt


async def test_reading_leaves_no_record(world: World) -> None:
    receipt = await ended(world)
    before = await audit(world)
    for operation in sorted(READING - {"receipts.sign"}):
        await ask(world, operation, app="wiki", receipt=receipt)
    assert await audit(world) == before
