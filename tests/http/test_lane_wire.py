"""Connections in the fast lane: pieces, pipelines, waiting, slowness, and the end."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lastcall.domain.errors import NotAuthenticated
from lastcall.http.protocol import HEAD_BYTES
from lastcall.stores.memory import AtOnce, MemoryStore
from tests.authority.acts import begin, caller_with
from tests.contract.gates import GatedLog
from tests.http.asgi import Served, echo, serve
from tests.http.lanes import Line, Pair, check, pair, request
from tests.http.leaping import leaping, passed
from tests.world import World, make_world

JSON = ("Content-Type", "application/json")
FORM = ("Content-Type", "application/x-www-form-urlencoded")


def logout(token: str, *headers: tuple[str, str], body: bytes = b"") -> bytes:
    offered = ("Authorization", f"Bearer {token}")
    return request("POST", "/v1/logout", offered, JSON, *headers, body=body)


def statuses(answers: bytes) -> list[int]:
    """Of answers of which no body holds a status line."""
    return [int(one.split(b" ")[0]) for one in answers.split(b"HTTP/1.1 ")[1:]]


async def tokens(both: Pair, many: int = 1) -> list[str]:
    begun = [[(await begin(world, "john")).token for _ in range(many)] for world in both.worlds]
    assert begun[0] == begun[1]
    return begun[0]


async def story(both: Pair) -> list[bytes]:
    """Requests of every kind, for a connection of their own; the last one closes it."""
    one, two, three = await tokens(both, 3)
    return [
        check(one),
        check(one),
        logout(two),
        check(two),
        request("GET", "/v1/me", ("Authorization", f"Bearer {three}")),
        request("POST", "/services/logout", FORM, body=b"a=b"),
        check(three),
        request("GET", f"/api/whoami?token={three}"),
        logout(three, body=b'{"reason":"enough"}'),
        request("HEAD", "/v1/check", ("Authorization", f"Bearer {one}")),
        request("GET", "/nothing"),
        check(one, ("Connection", "close")),
    ]


async def test_every_cut_gives_the_same_answers() -> None:
    both = await pair()
    sent = b"".join(await story(both))
    whole = await both.ask(sent)
    assert statuses(whole) == [204, 204, 200, 401, 200, 401, 204, 401, 200, 204, 404, 204]
    assert both.lines[0].pipe.closing


@pytest.mark.slow
async def test_a_cut_at_every_byte_gives_the_same_answers() -> None:
    both = await pair()
    (one, two) = await tokens(both, 2)
    sent = check(one) + logout(one, body=b'{"reason":"x"}') + check(one) + check(two)
    for cut in range(1, len(sent)):
        await both.ask(sent[:cut], sent[cut:])
        both.connect()


async def test_byte_after_byte() -> None:
    both = await pair()
    sent = b"".join(await story(both))
    answers = await both.ask(*(sent[at : at + 1] for at in range(len(sent))))
    assert statuses(answers) == [204, 204, 200, 401, 200, 401, 204, 401, 200, 204, 404, 204]


@pytest.mark.slow
@given(data=st.data())
@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
async def test_any_pipeline_in_any_pieces_is_answered_alike(data: st.DataObject) -> None:
    """Twenty-five ways to cut each of four hundred pipelines."""
    both = await pair()
    some = await story(both)
    picked = data.draw(st.lists(st.sampled_from(some), min_size=1, max_size=6))
    sent = b"".join(picked)
    chance = random.Random(data.draw(st.integers(0, 2**32)))
    for _ in range(25):
        both.connect()
        cuts = sorted(chance.sample(range(1, len(sent)), chance.randrange(0, 6)))
        await both.ask(*(sent[a:b] for a, b in zip([0, *cuts], [*cuts, len(sent)], strict=True)))


async def test_a_connection_is_kept_and_closed_as_asked() -> None:
    both = await pair()
    (token,) = await tokens(both)
    for close in ("keep-alive", "close"):
        answer = await both.ask(logout("x" + token, ("Connection", close)))
        assert (b"connection: close\r\n" in answer) == (close == "close")
        assert both.lines[0].pipe.closing == (close == "close")
    assert both.protocol.fast == 2


async def test_what_follows_an_answer_that_closes_is_not_looked_at() -> None:
    both = await pair()
    one, two = await tokens(both, 2)
    closing = logout(one, ("Connection", "close"))
    answer = await both.ask(closing + logout(two) + check(two) + b"nonsense")
    assert statuses(answer) == [200]
    for world in both.worlds:
        assert (await caller_with(world, two)).username == "john"


async def test_nor_is_what_follows_one_that_was_refused_and_closed() -> None:
    both = await pair()
    one, two = await tokens(both, 2)
    refused = logout(one, ("Host", "another"))
    assert statuses(await both.ask(refused + logout(two) + check(two))) == [400]
    assert both.protocol.fast == 1
    for world in both.worlds:
        assert (await caller_with(world, two)).username == "john"


async def test_a_body_on_its_way_is_waited_for_in_the_ordinary_lane() -> None:
    both = await pair(body_seconds=0.05)
    (token,) = await tokens(both)
    sent = logout(token, body=b'{"reason":"x"}')
    assert statuses(await both.ask(sent[:-4], sent[-4:])) == [200]
    assert (both.protocol.fast, both.protocol.ordinary) == (0, 1)
    assert statuses(await both.ask(sent[:-4])) == [408]


@pytest.mark.parametrize("size", [16 * 1024, 16 * 1024 + 1, 70_000])
async def test_long_bodies_take_the_ordinary_lane(size: int) -> None:
    both = await pair(max_body=64 * 1024)
    (token,) = await tokens(both)
    body = b'{"reason":"' + b"x" * (size - 13) + b'"}'
    await both.ask(logout(token, body=body))
    assert both.protocol.fast == (size <= 16 * 1024)


async def test_a_body_longer_than_allowed_is_refused_in_both() -> None:
    both = await pair(max_body=10)
    (token,) = await tokens(both)
    answer = await both.ask(logout(token, body=b'{"reason":"x"}'))
    assert statuses(answer) == [413]


# --- waiting for the disk ---


class Slow:
    """A world whose disk does nothing until it is told."""

    def __init__(self, world: World, gate: GatedLog, served: Served) -> None:
        self.world, self.gate, self.served = world, gate, served
        self.line = Line(served.app)


@pytest.fixture
async def slow() -> Slow:
    gate = GatedLog(AtOnce())
    world = await make_world(MemoryStore(gate))
    return Slow(world, gate, serve(world))


async def test_a_logout_is_answered_when_it_is_durable(slow: Slow) -> None:
    token = (await begin(slow.world, "john")).token
    slow.gate.shut()
    assert await slow.line.send(logout(token)) == b""
    assert slow.line.waiting
    assert slow.line.state.tasks
    slow.gate.open()
    assert statuses(await slow.line.answered()) == [200]
    assert (slow.line.protocol.fast, slow.line.protocol.ordinary) == (1, 0)
    assert not slow.line.state.tasks
    assert slow.line.state.total_requests == 1


async def test_what_comes_behind_a_logout_is_answered_behind_it(slow: Slow) -> None:
    one, two = [(await begin(slow.world, "john")).token for _ in range(2)]
    assert statuses(await slow.line.send(check(one), check(one))) == [204, 204]
    slow.line.taken()
    slow.gate.shut()
    await slow.line.send(logout(one) + check(two) + check(one))
    assert slow.line.taken() == b""
    assert not slow.line.pipe.is_reading(), "more is not read until this is answered"
    slow.gate.open()
    assert statuses(await slow.line.answered()) == [200, 204, 401]
    assert slow.line.pipe.is_reading()
    assert statuses(await slow.line.send(check(two))) == [204]
    assert slow.line.protocol.shortest == 2 + 1


async def test_a_check_that_comes_while_a_logout_waits_is_answered_behind_it(slow: Slow) -> None:
    one, two = [(await begin(slow.world, "john")).token for _ in range(2)]
    await slow.line.send(check(two), check(two))
    slow.line.taken()
    slow.gate.shut()
    assert await slow.line.send(logout(one)) == b""
    assert await slow.line.send(check(two)) == b""
    slow.gate.open()
    assert statuses(await slow.line.answered()) == [200, 204]


async def test_a_check_of_what_is_just_ending_waits(slow: Slow) -> None:
    token = (await begin(slow.world, "john")).token
    other = Line(slow.served.app)
    assert statuses(await other.send(check(token))) == [204]
    other.taken()
    slow.gate.shut()
    await slow.line.send(logout(token))
    assert await other.send(check(token)) == b""
    slow.gate.open()
    assert statuses(await slow.line.answered()) == [200]
    assert statuses(await other.answered()) == [401]


async def test_a_client_that_leaves_does_not_take_its_logout_along(slow: Slow) -> None:
    token = (await begin(slow.world, "john")).token
    slow.gate.shut()
    await slow.line.send(logout(token))
    (task,) = slow.line.state.tasks
    slow.line.leave()
    assert not slow.line.state.connections
    slow.gate.open()
    await slow.line.settle()
    assert task.done()
    assert task.exception() is None
    assert slow.line.taken() == b""
    with pytest.raises(NotAuthenticated):
        await caller_with(slow.world, token)


async def test_a_disk_that_fails_is_told_of(slow: Slow) -> None:
    token = (await begin(slow.world, "john")).token
    slow.gate.shut()
    await slow.line.send(logout(token))
    slow.gate.fail()
    assert statuses(await slow.line.answered()) == [503]


async def test_a_server_that_stops_finishes_what_waits(slow: Slow) -> None:
    token = (await begin(slow.world, "john")).token
    idle = Line(slow.served.app)
    await idle.send(check(token))
    slow.gate.shut()
    await slow.line.send(logout(token))
    idle.protocol.shutdown()
    assert idle.pipe.closing
    slow.line.protocol.shutdown()
    assert slow.line.waiting
    slow.gate.open()
    answer = await slow.line.answered()
    assert statuses(answer) == [200]
    assert b"connection: close\r\n" in answer
    assert slow.line.pipe.closing


async def test_a_server_that_stops_at_once_drops_what_waits(slow: Slow) -> None:
    token = (await begin(slow.world, "john")).token
    slow.gate.shut()
    await slow.line.send(logout(token))
    (task,) = slow.line.state.tasks
    task.cancel()
    await slow.line.settle()
    assert task.cancelled()
    assert slow.line.pipe.closing


async def test_nonsense_behind_a_logout_ends_the_connection_after_its_answer(slow: Slow) -> None:
    token = (await begin(slow.world, "john")).token
    slow.gate.shut()
    await slow.line.send(logout(token) + b"nonsense\r\n\r\n")
    assert slow.line.taken() == b""
    slow.gate.open()
    answer = await slow.line.answered()
    assert statuses(answer) == [200]
    assert b"connection: close\r\n" in answer


# --- back-pressure, time ---


async def test_a_client_that_does_not_read_is_not_written_to() -> None:
    both = await pair()
    (token,) = await tokens(both)
    await both.ask(check(token))
    for line in both.lines:
        line.protocol.pause_writing()
        assert await line.send(check(token), check(token), logout(token)) == b""
        assert not line.pipe.is_reading()
        line.protocol.resume_writing()
    fast, ordinary = [await line.answered() for line in both.lines]
    assert fast == ordinary
    assert statuses(fast) == [204, 204, 200]


async def test_a_logout_that_is_done_waits_for_a_client_that_does_not_read(slow: Slow) -> None:
    token = (await begin(slow.world, "john")).token
    slow.gate.shut()
    await slow.line.send(logout(token))
    slow.line.protocol.pause_writing()
    slow.gate.open()
    assert await slow.line.send() == b""
    assert slow.line.waiting
    slow.line.protocol.resume_writing()
    assert statuses(await slow.line.answered()) == [200]


MINUTE = 60.0


@leaping
@pytest.mark.parametrize("fast", [True, False])
async def test_an_idle_connection_is_closed_and_one_in_use_is_not(fast: bool) -> None:
    world = await make_world()
    line = Line(serve(world).app, fast=fast, keep_alive=600)
    token = (await begin(world, "john")).token
    for _ in range(3):
        await line.send(check(token))
        await passed(6 * MINUTE)
    assert not line.pipe.closing
    await passed(7 * MINUTE)
    assert line.pipe.closing


@leaping
async def test_ordinary_requests_keep_a_connection_open_as_well() -> None:
    world = await make_world()
    line = Line(serve(world).app, keep_alive=600)
    token = (await begin(world, "john")).token
    await line.send(check(token))
    for _ in range(3):
        await passed(6 * MINUTE)
        await line.send(request("GET", "/livez"))
    assert not line.pipe.closing
    await passed(13 * MINUTE)
    assert line.pipe.closing


@leaping
@pytest.mark.parametrize("answered", [0, 2])
async def test_a_head_that_does_not_end_is_given_up(answered: int) -> None:
    both = await pair()
    (token,) = await tokens(both)
    for _ in range(answered):
        await both.ask(check(token))
    for line in both.lines:
        line.protocol.head_seconds = 4 * MINUTE
        line.taken()
        await line.send(b"GET /v1/check HTTP/1.1\r\nHost: a\r\n")
    await passed(2 * MINUTE)
    for line in both.lines:
        await line.send(b"X: y\r\n")
        assert not line.pipe.closing
    await passed(3 * MINUTE)
    fast, ordinary = [line.taken() for line in both.lines]
    assert statuses(fast) == [408]
    assert fast == ordinary


async def test_a_head_that_is_too_long_is_refused() -> None:
    both = await pair()
    (token,) = await tokens(both)
    await both.ask(check(token))
    long = check(token, ("X", "x" * 2 * HEAD_BYTES))
    assert statuses(await both.ask(long[:40_000], long[40_000:-10])) == [431]


async def test_other_applications_have_no_fast_lane() -> None:
    mount, calls = echo()
    line = Line(serve(await make_world(), mount).app)
    assert statuses(await line.send(request("GET", "/echo/ok"))) == [200]
    assert line.protocol.ordinary == len(calls) == 1
