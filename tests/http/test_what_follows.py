"""What comes behind a request: a body is never another request, and nobody stays for nothing."""

import pytest

from lastcall.dialects import DIALECTS
from lastcall.http import Mount
from lastcall.http.protocol import STEP
from lastcall.stores.memory import AtOnce, MemoryStore
from tests.authority.acts import begin
from tests.contract.gates import GatedLog
from tests.http.asgi import echo, serve
from tests.http.lanes import Line, check, pair, request
from tests.http.leaping import leaping, passed
from tests.http.test_lane_wire import MINUTE, logout, statuses
from tests.world import make_world

LOOK = b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
LEAST = b"GET /livez HTTP/1.1\r\nHost:a\r\n\r\n"
IN_ONE_CHUNK = b"%x\r\n%b\r\n0\r\n\r\n" % (len(LOOK), LOOK)


def asking(protocol: str) -> tuple[tuple[str, str], ...]:
    return ("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", protocol)


@pytest.mark.parametrize("protocol", ["h2c", "websocket", "TLS/1.0"])
@pytest.mark.parametrize("target", ["/v1/logout", "/v1/login", "/echo/ok"])
@pytest.mark.parametrize("chunked", [False, True])
async def test_the_body_of_who_asks_for_another_protocol_is_no_request(
    protocol: str, target: str, chunked: bool
) -> None:
    """However it comes in pieces: a proxy before us takes it for a body, too."""
    body = IN_ONE_CHUNK if chunked else LOOK
    framing = ("Transfer-Encoding", "chunked") if chunked else ("Content-Length", str(len(LOOK)))
    head = request("GET", target, *asking(protocol), framing).replace(b"GET", b"POST", 1)
    mounts = [Mount(dialect=one, settings=one.settings()) for one in DIALECTS]
    both = await pair(*mounts, echo()[0])
    whole = await both.ask(head + body)
    assert len(statuses(whole)) == 1
    both.connect()
    pieces = head[:30], head[30:], body[:10], body[10:]
    in_pieces = await both.ask(*pieces)
    assert statuses(in_pieces) == statuses(whole)
    assert statuses(await both.ask(LOOK)) == [200]


async def test_who_asks_for_another_protocol_is_answered_in_this_one() -> None:
    """With all it sent: its body, and the requests behind it."""
    mount, calls = echo()
    line = Line(serve(await make_world(), mount).app)
    one = request("POST", "/echo/ok", *asking("h2c"), body=b"hello")
    await line.send(one * 50 + one[:-3], one[-3:] + request("GET", "/echo/ok"))
    assert statuses(await line.answered()) == [200] * 52
    assert [call.body for call in calls] == [b"hello"] * 51 + [b""]


async def test_a_logout_that_asks_for_another_protocol_is_a_logout() -> None:
    both = await pair()
    begun = [await begin(world, "john") for world in both.worlds]
    offered = ("Authorization", f"Bearer {begun[0].token}")
    json = ("Content-Type", "application/json")
    body = b'{"reason":"enough"}'
    out = request("POST", "/v1/logout", offered, json, *asking("h2c"), body=body)
    assert statuses(await both.ask(check(begun[0].token) + out + check(begun[0].token))) == [
        204,
        200,
        401,
    ]


@pytest.mark.parametrize("target", ["/v1/check", "/livez"])
async def test_nonsense_behind_an_answer_that_closed_is_not_answered(target: str) -> None:
    both = await pair()
    answer = await both.ask(f"GET {target} HTTP/1.1\r\n\r\nnonsense\r\n\r\n".encode())
    assert statuses(answer) == [400]


@pytest.mark.parametrize("target", ["a:1", "/livez", "*"])
async def test_a_tunnel_is_not_had_and_ends_the_connection(target: str) -> None:
    both = await pair()
    await both.ask(request("CONNECT", target) + LOOK)
    assert both.protocol.transport.is_closing()


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("size", [1_000, 20_000, 60_000])
async def test_requests_in_a_row_take_no_more_room_than_their_bytes(fast: bool, size: int) -> None:
    """Thousands fit into what is read at once, and each takes a hundred times its bytes."""
    line = Line(serve(await make_world()).app, fast=fast)
    many = 60_000 // len(LEAST)
    sent = LEAST * many
    waiting = 0
    for start in range(0, len(sent), size):
        line.protocol.data_received(sent[start : start + size])
        while not line.pipe.is_reading():
            await line.settle()
            waiting = max(waiting, len(line.protocol.pipeline))
    answers = await line.answered()
    assert answers.count(b"HTTP/1.1 200 OK") == many
    assert waiting <= STEP // len(LEAST) + 1


async def test_bodies_in_a_row_are_read_while_their_turn_comes() -> None:
    """The body of one that waits for its turn may be behind what is read so far."""
    mount, calls = echo()
    line = Line(serve(await make_world(), mount).app)
    bodies = [b"a" * size for size in (0, 3 * STEP, 5, 70_000, 0, STEP - 60, 200_000, 1)]
    sent = b"".join(request("POST", "/echo/ok", body=body) for body in bodies) * 3
    await line.send(*(sent[at : at + 100_000] for at in range(0, len(sent), 100_000)))
    assert statuses(await line.answered()) == [200] * 24
    assert [call.body for call in calls] == bodies * 3


@leaping
async def test_a_head_that_waits_for_its_turn_is_not_late() -> None:
    """Cut in the middle, behind a logout that takes longer than a head may."""
    gate = GatedLog(AtOnce())
    world = await make_world(MemoryStore(gate))
    line = Line(serve(world).app)
    line.protocol.head_seconds = 2 * MINUTE
    token = (await begin(world, "john")).token
    gate.shut()
    await line.send(logout(token) + LEAST * (2 * STEP // len(LEAST)))
    await passed(5 * MINUTE)
    assert not line.pipe.closing
    gate.open()
    assert statuses(await line.answered()) == [200] * (2 * STEP // len(LEAST) + 1)


@leaping
@pytest.mark.parametrize("fast", [True, False])
async def test_a_head_that_came_in_pieces_and_in_time_makes_nothing_late(fast: bool) -> None:
    """What takes longer is the answer, behind the same disk."""
    gate = GatedLog(AtOnce())
    world = await make_world(MemoryStore(gate))
    line = Line(serve(world).app, fast=fast)
    line.protocol.head_seconds = 2 * MINUTE
    sent = logout((await begin(world, "john")).token)
    gate.shut()
    await line.send(sent[:20], sent[20:])
    await passed(5 * MINUTE)
    assert line.taken() == b""
    assert not line.pipe.closing
    gate.open()
    assert statuses(await line.answered()) == [200]
    assert not line.pipe.closing


@leaping
@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize(
    "first",
    [
        LOOK,
        b"GET /v1/check HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"POST /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\nx",
    ],
)
async def test_a_connection_is_not_kept_by_bytes_that_ask_nothing(fast: bool, first: bytes) -> None:
    """Blank lines between two requests, or a body that was not waited for."""
    line = Line(serve(await make_world()).app, fast=fast, keep_alive=600)
    await line.send(first)
    for _ in range(4):
        await passed(4 * MINUTE)
        await line.send(b"\r\n")
    assert line.pipe.closing


@leaping
async def test_an_answer_that_takes_long_is_not_cut_off() -> None:
    """The next request's head begins while one is answered, and is complete after it."""
    world = await make_world()
    mount, calls = echo()
    line = Line(serve(world, mount, body_seconds=60 * MINUTE).app, keep_alive=600)
    line.protocol.head_seconds = 60 * MINUTE
    await line.send(LOOK + LOOK[:20])
    await passed(7 * MINUTE)
    await line.send(LOOK[20:-2])
    await passed(7 * MINUTE)
    assert not line.pipe.closing
    whole = request("POST", "/echo/ok", body=b"abc")
    await line.send(LOOK[-2:] + whole[:-9])
    await passed(7 * MINUTE)
    await line.send(whole[-9:-3])
    await passed(7 * MINUTE)
    assert not line.pipe.closing
    await line.send(whole[-3:])
    assert statuses(await line.answered()) == [200, 200, 200]
    assert len(calls) == 1
