"""The fast lane on a real port: many at once, and clients that send much and read nothing."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from tests.authority.acts import begin
from tests.http.asgi import serve
from tests.http.lanes import check, request
from tests.http.sockets import connected, listening
from tests.world import World, make_world

pytestmark = pytest.mark.e2e


@dataclass
class Running:
    port: int
    world: World

    async def token(self) -> str:
        return (await begin(self.world, "john")).token


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    world = await make_world()
    async with listening(serve(world).app) as port:
        yield Running(port, world)


async def test_checks_and_logouts_over_one_connection(running: Running) -> None:
    token = await running.token()
    offered = ("Authorization", f"Bearer {token}")
    async with connected(running.port) as wire:
        for _ in range(3):
            await wire.send(check(token))
            assert (await wire.answer()).status == 204
        await wire.send(request("POST", "/v1/logout", offered))
        answer = await wire.answer()
        assert (answer.status, answer.json["sessions_ended"]) == (200, 1)
        await wire.send(check(token))
        assert (await wire.answer()).status == 401


async def test_many_connections_at_once(running: Running) -> None:
    tokens = [await running.token() for _ in range(40)]

    async def life(token: str) -> list[int]:
        offered = ("Authorization", f"Bearer {token}")
        sent = [check(token), request("POST", "/v1/logout", offered), check(token)]
        async with connected(running.port) as wire:
            statuses = []
            for one in sent:
                await wire.send(one)
                statuses.append((await wire.answer()).status)
            return statuses

    assert await asyncio.gather(*map(life, tokens)) == [[204, 200, 401]] * 40


async def test_a_flood_that_is_not_read_is_answered_in_order_once_it_is(running: Running) -> None:
    """Far more answers than any buffer holds: neither memory nor order may be lost over them."""
    token, many = await running.token(), 20_000
    async with connected(running.port) as wire:
        sending = asyncio.create_task(wire.send(check(token) * many))
        await asyncio.sleep(0.3)
        ids = [(await wire.answer()).header("x-request-id") for _ in range(many)]
        await sending
    numbers = [int(one[16:], 16) for one in ids]
    assert numbers == list(range(numbers[0], numbers[0] + many))
