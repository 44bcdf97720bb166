"""Each vendor's connector against our own dialect of that vendor, in process and over real HTTP."""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from lastcall.dialects.soajs.keys import mint_key
from lastcall.domain.delivery import Outcome
from lastcall.egress import HttpEgress
from tests.connectors.making import Names
from tests.connectors.vendors.places import TOTP_SECRET, Place, inside, wall
from tests.connectors.vendors.vendors import OAUTH, VENDORS, Vendor, told_of
from tests.e2e.server import Server, demo

CONFIG = """
[store]
url = "sqlite:lastcall.db"

[mail]
folder = "mail"

[dialects.soajs.tenants.default]
id = "{id}"
code = "{code}"
keys = ["{key}"]
oauth_secret = "{oauth_secret}"

[dialects.rocketchat]
API_Enable_Rate_Limiter = false
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A demonstration whose SOAJS tenant has an oauth secret, and that counts no calls."""
    folder: Path = tmp_path_factory.mktemp("loop")
    key = mint_key(OAUTH["id"], bytes(28), "soajs key lal massa")
    (folder / "demo.json").write_text(
        json.dumps({"soajs_key": key, "totp_secret": TOTP_SECRET}), encoding="utf-8"
    )
    config = CONFIG.format(**{**OAUTH, "key": key})
    (folder / "lastcall.toml").write_text(config, encoding="utf-8")
    with demo(folder) as running:
        yield running


@pytest.fixture(params=["inside", pytest.param("served", marks=pytest.mark.e2e)])
async def place(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    if request.param == "inside":
        here, _ = await inside()
        yield here
        return
    running: Server = request.getfixturevalue("server")
    way = HttpEgress(look_up=Names())
    yield Place(egress=way, url=running.url, soajs_key=running.demo()["soajs_key"], now=wall)
    await way.close()


each = pytest.mark.parametrize("vendor", VENDORS, ids=lambda one: one.id)
each_by_user = pytest.mark.parametrize(
    "vendor", [one for one in VENDORS if one.by_user], ids=lambda one: one.id
)


@each
async def test_the_session_ends_and_is_seen_dead(place: Place, vendor: Vendor) -> None:
    login, other = await vendor.log_in(place, "monitor"), await vendor.log_in(place, "john")
    assert await vendor.alive(place, login)
    told = await vendor.tell(place, login)
    assert (told.outcome, told.dead, told.error) == (Outcome.DONE, True, "")
    assert not await vendor.alive(place, login)
    assert await vendor.alive(place, other)


@each
async def test_to_be_told_twice_is_a_success_twice(place: Place, vendor: Vendor) -> None:
    login = await vendor.log_in(place, "monitor")
    await vendor.tell(place, login)
    told = await vendor.tell(place, login)
    assert told.outcome is Outcome.DONE
    assert told.dead is not False
    assert not await vendor.alive(place, login)


@each_by_user
async def test_all_sessions_of_an_account_end(place: Place, vendor: Vendor) -> None:
    login, other = await vendor.log_in(place, "engineer"), await vendor.log_in(place, "john")
    told = await vendor.tell_all(place, login)
    assert (told.outcome, told.error) == (Outcome.DONE, "")
    assert not await vendor.alive(place, login)
    assert await vendor.alive(place, other)


@each
async def test_a_test_ends_nothing_and_succeeds(place: Place, vendor: Vendor) -> None:
    login = await vendor.log_in(place, "admin")
    made, target = vendor.made(place), vendor.target(place)
    assert not made.problems(target)
    told = await made.test(target, told_of(place, login.sid, login.account))
    assert (told.outcome, told.error) == (Outcome.DONE, "")
    assert await vendor.alive(place, login)
