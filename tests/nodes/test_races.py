"""Nothing is broken, everything happens at once: on three nodes as on one."""

import asyncio
import json
import random
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import pyotp
import pytest

from lastcall.authenticators.totp import STEP
from tests.checker import NEVER, Answer, Call
from tests.nodes.asking import PATIENCE
from tests.nodes.crowd import Crowd, One, crowd
from tests.nodes.house import PASSWORD, TOTP, House, Node, person
from tests.nodes.ways import CLIENT, EVERY_WAY

pytestmark = pytest.mark.fault

SECONDS = 5.0
"""How long a storm lasts."""


async def test_checks_at_full_speed_revive_nothing(three: House) -> None:
    """Each round one logout, while every way to ask runs at every node."""
    chance = random.Random(3)
    async with crowd(three, ways=EVERY_WAY) as people:
        spared = await people.log_in_all(3, person(1))
        async with people.checking(per_node=3):
            end = time.monotonic() + SECONDS
            rounds = 0
            while time.monotonic() < end or rounds < 3:
                one = await people.log_in(chance.choice(three.nodes), person(0))
                await people.everywhere(one)
                await people.out_at_last(chance.choice(three.nodes), one)
                rounds += 1
        for one in spared:
            assert await people.told(one) == [True, True, True]


class Family:
    """A login of the SOAJS wire whose tokens are renewed again and again, at any node."""

    def __init__(self, people: Crowd) -> None:
        self.people = people
        self.nodes = people.house.nodes
        self.access = ""
        self.refresh = ""
        self.access_tokens: list[One] = []
        self.refused_at = NEVER

    async def grant(self, node: Node, form: str) -> bool:
        reply = await self.people.insist(node, "POST", "/oauth/token", body=form, headers=CLIENT)
        told = reply.json()
        if "access_token" not in told:
            return False
        self.access, self.refresh = told["access_token"], told["refresh_token"]
        self.access_tokens.append(One(self.access))
        return True

    async def begin(self) -> None:
        form = f"grant_type=password&username={person(6)}&password={quote(PASSWORD)}"
        assert await self.grant(self.nodes[0], form)

    async def keep_refreshing(self, chance: random.Random) -> None:
        """Until it is refused."""
        while await self.renew(chance.choice(self.nodes)):
            pass
        self.refused_at = time.monotonic()

    async def renew(self, node: Node) -> bool:
        return await self.grant(node, f"grant_type=refresh_token&refresh_token={self.refresh}")

    async def counts(self, node: Node, access: str) -> bool:
        reply = await self.people.insist(node, "GET", "/v1/check", access)
        assert reply.status in (204, 401), reply.body
        return reply.status == 204


async def test_a_refresh_in_flight_does_not_outlive_the_logout(three: House) -> None:
    chance = random.Random(5)
    async with crowd(three) as people:
        admin = await people.log_in(three.nodes[0], "admin")
        subject = await subject_of(people, await people.log_in(three.nodes[0], person(6)))
        people.sessions = [admin]
        for number in range(12):
            family = Family(people)
            await family.begin()
            renewing = asyncio.create_task(family.keep_refreshing(chance))
            await asyncio.sleep(chance.uniform(0.0, 0.1))
            body = {"scope": {"kind": "subject", "subject": subject}}
            node = three.nodes[number % 3]
            reply = await people.insist(node, "POST", "/v1/logout", admin.token, body=body)
            assert reply.status == 200, reply.body
            answered = time.monotonic()
            granted = len(family.access_tokens)
            await renewing
            assert len(family.access_tokens) - granted <= 1, "the one that was on its way"
            assert family.refused_at - answered < PATIENCE
            for node in three.nodes:
                for one in family.access_tokens[-3:]:
                    assert not await family.counts(node, one.token)
                assert not await family.renew(node)


async def test_logging_out_all_is_a_barrier_for_logins_in_flight(three: House) -> None:
    chance = random.Random(11)
    async with crowd(three) as people:
        admin = await people.log_in(three.nodes[0], "admin")
        who = (await people.insist(three.nodes[0], "GET", "/v1/me", admin.token)).json()
        async with people.checking(per_node=2):
            for number in range(8):
                before = await people.log_in_all(6, person(7))
                subject = await subject_of(people, before[0])
                assert subject != who["subject"]
                began = time.monotonic()
                logins = [
                    asyncio.create_task(overtaken_or_in(people, chance.choice(three.nodes)))
                    for _ in range(12)
                ]
                await asyncio.sleep(chance.uniform(0.0, 0.05))
                scope = {"kind": "subject", "subject": subject}
                node = three.nodes[number % 3]
                assert await people.end_at_last(node, admin, before, scope=scope) is Answer.DONE
                in_flight = await asyncio.gather(*logins)
                for one in filter(
                    None, in_flight
                ):  # before or after: but the same to everybody, for good
                    one.history.append(Call(began, NEVER, Answer.LOST))
                    assert len(set(await people.told(one))) == 1
                for one in before:
                    assert await people.told(one) == [False, False, False]


async def overtaken_or_in(people: Crowd, node: Node) -> One | None:
    """None when the login was told that a logout had come in between."""
    body = {"username": person(7), "password": PASSWORD}
    reply = await people.insist(node, "POST", "/v1/login", body=body)
    assert reply.status in (200, 409), reply.body
    if reply.status == 409:
        return None
    one = One(reply.json()["token"])
    people.sessions.append(one)
    return one


async def subject_of(people: Crowd, one: One) -> str:
    reply = await people.insist(people.house.nodes[0], "GET", "/v1/me", one.token)
    return str(reply.json()["subject"])


async def test_a_cap_holds_for_a_hundred_logins_at_once(three: House) -> None:
    async with crowd(three) as people:
        over = asyncio.Event()
        warden = await people.log_in(three.nodes[0], "warden", tenant="few")
        watched = [
            asyncio.create_task(most_alive(people, node, warden, over)) for node in three.nodes
        ]
        statuses = await at_once(people, {"username": "frugal", "tenant": "few"}, 100)
        over.set()
        doubtful = people.unclear["POST refused"]  # a login in doubt may have taken a place
        assert 3 - doubtful <= statuses.count(200) <= 3
        assert set(statuses) <= {200, 409}
        assert max(await asyncio.gather(*watched)) <= 3


async def test_the_latest_push_out_the_oldest_and_never_are_there_more(three: House) -> None:
    who = {"username": "restless", "tenant": "latest"}
    async with crowd(three) as people:
        ones = await asyncio.gather(
            *(people.log_in(three.nodes[n % 3], "restless", tenant="latest") for n in range(60))
        )
        people.sessions = []
        seen = [await people.told(one) for one in ones]
        assert all(len(set(answers)) == 1 for answers in seen)
        assert [answers[0] for answers in seen].count(True) == 3
        assert await at_once(people, who, 6) == [200] * 6


async def at_once(people: Crowd, who: dict[str, Any], count: int, **more: Any) -> list[int]:
    """The statuses of that many logins, over all nodes."""
    body = {"password": PASSWORD, **who, **more}
    nodes = people.house.nodes
    asked = [people.insist(nodes[n % 3], "POST", "/v1/login", body=body) for n in range(count)]
    return [reply.status for reply in await asyncio.gather(*asked)]


async def most_alive(people: Crowd, node: Node, warden: One, over: asyncio.Event) -> int:
    """The most sessions a node ever showed of the one account, until it is over."""
    most = 0
    while not over.is_set():
        reply = await people.insist(node, "GET", "/v1/sessions?limit=500", warden.token)
        rows = [row for row in reply.json()["sessions"] if row["username"] == "frugal"]
        most = max(most, len(rows))
    return most


async def test_a_code_counts_once_over_all_nodes(three: House) -> None:
    """One before the current step, the current one and one after are good: each one time."""
    async with crowd(three) as people:
        left = (STEP - time.time() * 1_000 % STEP) / 1_000
        await asyncio.sleep(left if left < 8 else 0)  # so that hardly ever a step ends meanwhile
        now = int(time.time())
        for shift in (-1, 0, 1):
            code = pyotp.TOTP(TOTP).at(now + shift * STEP // 1_000)
            who = {"username": "careful", "code": code, "method": "totp"}
            statuses = await at_once(people, who, 30)
            over = step_of(time.time()) != step_of(now) and shift < 0
            missing = over or people.unclear["POST refused"]  # a login in doubt may have used it
            assert statuses.count(200) == 1 or (missing and 200 not in statuses), statuses


def step_of(seconds: float) -> int:
    return int(seconds * 1_000) // STEP


class Slow:
    """A request of which the last byte is kept back."""

    def __init__(self, node: Node, one: One, path: str, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        head = [
            f"POST {path} HTTP/1.1",
            f"Host: {node.url.removeprefix('http://')}",
            f"Authorization: Bearer {one.token}",
            "Content-Type: application/json",
            f"Content-Length: {len(content)}",
            "Connection: close",
        ]
        self.raw = "\r\n".join([*head, "", ""]).encode() + content
        self.port = int(node.url.rsplit(":", 1)[1])

    async def begin(self) -> None:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.writer.write(self.raw[:-1])
        await self.writer.drain()

    async def finish(self) -> bytes:
        self.writer.write(self.raw[-1:])
        answer = await asyncio.wait_for(self.reader.read(), PATIENCE)
        self.writer.close()
        return answer


SAVING: Sequence[tuple[str, dict[str, Any]]] = (
    ("/v1/step-up", {"password": PASSWORD}),
    ("/v1/password", {"current": PASSWORD, "new": "Entirely_new_1"}),
    ("/v1/logout", {"scope": {"kind": "others"}}),
)


async def test_a_request_that_is_slow_saves_nothing_after_the_logout(three: House) -> None:
    async with crowd(three) as people:
        for path, body in SAVING:
            one, other = [await people.log_in(three.nodes[0], person(8)) for _ in range(2)]
            slow = [Slow(node, one, path, body) for node in three.nodes]
            await asyncio.gather(*(each.begin() for each in slow))
            await people.out_at_last(three.nodes[1], one)
            for answer in await asyncio.gather(*(each.finish() for each in slow)):
                assert answer.startswith(b"HTTP/1.1 401"), answer
                assert b"lct_" not in answer
            assert await people.told(one) == [False, False, False]
            assert await people.told(other) == [True, True, True]


async def test_the_same_logout_at_every_node_at_once(three: House) -> None:
    async with crowd(three) as people:
        mine = await people.log_in_all(20, person(9))
        async with people.checking(per_node=2):
            for one in mine:
                ending = (people.out_at_last(node, one) for node in three.nodes)
                answers = await asyncio.gather(*ending)
                assert Answer.DONE in answers or "503" in str(one.said)


async def test_made_up_tokens_are_refused_everywhere(three: House) -> None:
    async with crowd(three) as people:
        for number in range(30):
            node, token = three.nodes[number % 3], f"lct_{number:043d}"
            assert (await people.insist(node, "GET", "/v1/check", token)).status == 401
            assert (await people.insist(node, "POST", "/v1/logout", token, body={})).status == 401
