"""Many logouts at once: they begin a few at a time, and checks are answered between them."""

import asyncio
from functools import partial

from lastcall.http.turns import IN_ONE_ROUND, Turns
from tests.authority.acts import begin
from tests.http.asgi import Served, serve
from tests.http.lanes import Line, check, request
from tests.http.test_lane_wire import logout, statuses
from tests.world import make_world

MANY = 7 * IN_ONE_ROUND


async def test_what_comes_together_begins_in_rounds_and_in_order() -> None:
    turns, begun = Turns(2), list[int]()
    for number in range(5):
        if turns.now():
            begun.append(number)
        else:
            turns.later(partial(begun.append, number))
    assert begun == [0, 1]
    await asyncio.sleep(0)
    assert begun == [0, 1, 2, 3]
    assert not turns.now(), "who comes now stands behind those in line"
    await asyncio.sleep(0)
    assert begun == [0, 1, 2, 3, 4]
    assert turns.now()
    assert not turns.now()
    await asyncio.sleep(0)
    assert turns.now(), "nobody is in line any more, and it is another round"


async def crowded() -> tuple[Served, list[str], list[Line]]:
    """Everybody is connected, and has a session to log out of."""
    world = await make_world()
    served = serve(world)
    tokens = [(await begin(world, "john")).token for _ in range(MANY)]
    return served, tokens, [Line(served.app) for _ in tokens]


def come(lines: list[Line], tokens: list[str]) -> None:
    """All logouts are read before the loop goes on."""
    for line, token in zip(lines, tokens, strict=True):
        line.protocol.data_received(logout(token))


def answered(lines: list[Line]) -> list[bool]:
    return [bool(line.pipe.written) for line in lines]


async def test_a_check_is_answered_before_logouts_that_came_first() -> None:
    served, tokens, lines = await crowded()
    late = Line(served.app)
    come(lines, tokens)
    assert answered(lines).count(True) <= IN_ONE_ROUND
    late.protocol.data_received(check(tokens[-1]))
    assert statuses(late.taken()) == [204], "it has not begun, so the session is still good"
    for line in lines:
        assert statuses(await line.answered()) == [200]
    assert statuses(await late.send(check(tokens[-1]))) == [401]
    assert all(line.protocol.ordinary == 0 for line in lines)


async def test_checks_that_take_longer_do_not_wait_for_logouts_either() -> None:
    served, tokens, lines = await crowded()
    late = Line(served.app)
    come(lines, tokens)
    by_cookie = request("GET", "/v1/check", ("Cookie", "a=b"))
    late.protocol.data_received(by_cookie)
    assert statuses(late.taken()) == [401]
    for line in lines:
        assert statuses(await line.answered()) == [200]


async def test_first_come_first_out() -> None:
    _, tokens, lines = await crowded()
    come(lines, tokens)
    seen = [answered(lines)]
    while not all(seen[-1]):
        await asyncio.sleep(0)
        seen.append(answered(lines))
    assert all(one == sorted(one, reverse=True) for one in seen)
    assert len(seen) > MANY // IN_ONE_ROUND


async def test_what_stands_behind_a_logout_in_line_is_answered_behind_it() -> None:
    _, tokens, lines = await crowded()
    come(lines[:-1], tokens[:-1])
    lines[-1].protocol.data_received(logout(tokens[-1]) + check(tokens[-1]) + check(tokens[0]))
    assert statuses(await lines[-1].answered()) == [200, 401, 401]


async def test_who_leaves_while_in_line_is_logged_out_all_the_same() -> None:
    served, tokens, lines = await crowded()
    come(lines, tokens)
    lines[-1].leave()
    for line in lines[:-1]:
        assert statuses(await line.answered()) == [200]
    await lines[0].settle()
    assert lines[-1].taken() == b""
    late = Line(served.app)
    assert statuses(await late.send(check(tokens[-1]))) == [401]


async def test_a_server_that_stops_answers_who_is_in_line() -> None:
    _, tokens, lines = await crowded()
    come(lines, tokens)
    for line in lines:
        line.protocol.shutdown()
    assert not lines[-1].pipe.closing
    for line in lines:
        assert statuses(await line.answered()) == [200]
        assert line.pipe.closing
