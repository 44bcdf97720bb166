"""The worker: fair, patient, exact about what it knows, and never in two places at once."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from lastcall.authority.deliveries import redeliver
from lastcall.circuit import Circuit, Pace
from lastcall.domain.access import operator
from lastcall.domain.client import Client
from lastcall.domain.delivery import Delivery, DeliveryState, Outcome, owed
from lastcall.domain.logout import OfTenant, Revocation
from lastcall.domain.origin import Origin
from lastcall.domain.session import Participant
from lastcall.domain.settling import BACKOFF
from lastcall.domain.types import (
    ClientId,
    DialectName,
    Duration,
    EndReason,
    Instant,
    ReceiptId,
    Serial,
    SubjectId,
)
from lastcall.outbox import Over, Worker
from lastcall.outward import NoAnswer, Notice, Setting, Target, Told, sealed_sid
from tests.contract.gates import until
from tests.domain.samples import session
from tests.world import TENANT, World, make_world

DONE = Told(outcome=Outcome.DONE, status=200)
AGAIN = Told(outcome=Outcome.RETRY, status=503, error="status 503")


@dataclass
class Scripted:
    """A connector that answers as it is told to, per client or to all, and remembers."""

    answers: dict[str, Told | Exception | Callable[[], Any]] = field(default_factory=dict)
    told: list[tuple[str, Notice]] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    name: str = "scripted"
    settings: Sequence[Setting] = ()

    def problems(self, target: Target) -> Sequence[str]:
        return ()

    async def tell(self, target: Target, notice: Notice) -> Told:
        self.told.append((target.client.name, notice))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(0)
            answer = self.answers.get(target.client.name, DONE)
            if isinstance(answer, Exception):
                raise answer
            if isinstance(answer, Told):
                return answer
            made: Told = await answer()
            return made
        finally:
            self.at_once -= 1

    async def test(self, target: Target, notice: Notice) -> Told:
        return await self.tell(target, notice)


def client(world: World, name: str, **changes: Any) -> Client:
    made = Client(
        id=ClientId(name),
        tenant=TENANT,
        name=name,
        connector="scripted",
        created=world.clock.now(),
        changed=world.clock.now(),
    )
    return replace(made, **changes)


def rule(world: World, name: str = "r") -> Revocation:
    return Revocation(
        id=ReceiptId(name),
        tenant=TENANT,
        scope=OfTenant(),
        serial=Serial(1),
        at=world.clock.now(),
        why=EndReason.REVOKED,
        by=SubjectId("u-admin"),
        by_name="admin",
        reason="leaver",
        via=DialectName("native"),
    )


async def owe(world: World, clients: Sequence[Client], each: int = 1) -> list[Delivery]:
    made = []
    revocation = rule(world)
    async with world.env.store.transaction(TENANT) as tx:
        if await tx.receipt(revocation.id) is None:
            await tx.add_revocation(revocation)
        for one in clients:
            await tx.put_client(one)
            for number in range(each):
                sid = sealed_sid(world.vault, one.id, f"sid-{number}")
                joined = Participant(client=one.id, sid=sid, account="john@there")
                row = owed(revocation, session(tenant=TENANT), one, joined, "john@there")
                await tx.add_delivery(row)
                made.append(row)
    return made


async def states(world: World, rows: Sequence[Delivery]) -> list[DeliveryState]:
    async with world.env.store.transaction(TENANT) as tx:
        found = [await tx.delivery(row.id) for row in rows]
    return [row.state for row in found if row]


async def one_round(worker: Worker) -> int:
    took = await worker.turn()
    await worker.rest()
    return took


def at_work(world: World, connector: Scripted, **pace: Any) -> Worker:
    return Worker(env=world.env, connectors={"scripted": connector}, pace=Pace(**pace))


async def test_a_notice_is_handed_over_and_written_down() -> None:
    world = await make_world()
    connector = Scripted()
    rows = await owe(world, [client(world, "wiki")])
    worker = at_work(world, connector)
    assert await one_round(worker) == 1
    assert await states(world, rows) == [DeliveryState.ACKNOWLEDGED]
    name, notice = connector.told[0]
    assert (name, notice.sid, notice.account, notice.number) == ("wiki", "sid-0", "john@there", 1)
    assert (notice.delivery, notice.reason) == (rows[0].id, "leaver")
    async with world.env.store.transaction(TENANT) as tx:
        attempts = await tx.attempts(rows[0].id)
        last = (await tx.records(0, 1_000))[-1].event
    assert [(one.number, one.status, one.jti) for one in attempts] == [(1, 200, notice.jti)]
    assert (last.action, last.outcome, last.code) == ("delivery", "done", "acknowledged")
    assert await one_round(worker) == 0


async def test_every_try_has_a_fresh_jti_and_the_same_delivery_id() -> None:
    world = await make_world()
    connector = Scripted(answers={"wiki": AGAIN})
    rows = await owe(world, [client(world, "wiki")])
    worker = at_work(world, connector)
    for wait in BACKOFF[:4]:
        assert await one_round(worker) == 1
        assert await states(world, rows) == [DeliveryState.QUEUED]
        assert await one_round(worker) == 0, "not before its time"
        world.clock.advance(2 * wait)
    connector.answers.clear()
    await one_round(worker)
    assert await states(world, rows) == [DeliveryState.ACKNOWLEDGED]
    assert len({notice.jti for _, notice in connector.told}) == 5
    assert {notice.delivery for _, notice in connector.told} == {rows[0].id}


@pytest.mark.parametrize(
    ("answer", "state", "error"),
    [
        (NoAnswer("connect", sent=False), DeliveryState.QUEUED, "connect"),
        (NoAnswer("timeout", sent=True), DeliveryState.SENT, "timeout"),
        (NoAnswer("address", sent=False), DeliveryState.REFUSED, "address"),
        (ValueError("with a secret in it"), DeliveryState.SENT, "fault ValueError"),
        (
            Told(outcome=Outcome.REFUSED, status=400, error="status 400"),
            DeliveryState.REFUSED,
            "status 400",
        ),
        (Told(outcome=Outcome.DONE, dead=True), DeliveryState.VERIFIED, ""),
        (Told(outcome=Outcome.DONE, dead=False), DeliveryState.QUEUED, ""),
    ],
)
async def test_what_is_known_after_one_try(
    answer: Told | Exception, state: DeliveryState, error: str
) -> None:
    world = await make_world()
    rows = await owe(world, [client(world, "wiki")])
    await one_round(at_work(world, Scripted(answers={"wiki": answer})))
    assert await states(world, rows) == [state]
    async with world.env.store.transaction(TENANT) as tx:
        delivery = await tx.delivery(rows[0].id)
    assert delivery is not None
    assert delivery.last_error == error


@pytest.mark.slow
async def test_a_connector_that_hangs_is_cut_off_and_the_others_are_told() -> None:
    world = await make_world()

    async def hang() -> Told:
        await asyncio.sleep(3_600)
        return DONE

    names = [f"app-{number}" for number in range(50)]
    clients = [client(world, name, timeout=Duration(1)) for name in names]
    connector = Scripted(answers={names[0]: hang})
    rows = await owe(world, clients, each=4)
    worker = at_work(world, connector)
    running = asyncio.create_task(worker.run())
    async with asyncio.timeout(60):
        while set(await states(world, rows[4:])) != {DeliveryState.ACKNOWLEDGED}:  # noqa: ASYNC110  # what is watched is the store
            await asyncio.sleep(0.01)
    worker.stop()
    await asyncio.wait_for(running, 60)
    assert await states(world, rows[:1]) == [DeliveryState.SENT]


async def test_a_clients_concurrency_holds_and_the_clients_take_turns() -> None:
    world = await make_world()
    connector = Scripted()
    clients = [client(world, name, concurrency=2) for name in ("a", "b", "c")]
    rows = await owe(world, clients, each=10)
    worker = at_work(world, connector, in_flight=6)
    assert await one_round(worker) == 6
    assert sorted(name for name, _ in connector.told) == ["a", "a", "b", "b", "c", "c"]
    while await one_round(worker):
        pass
    assert set(await states(world, rows)) == {DeliveryState.ACKNOWLEDGED}
    assert connector.most_at_once <= 6


async def test_a_round_begins_no_more_than_it_may_and_the_next_ones_the_rest() -> None:
    world = await make_world()
    rows = await owe(world, [client(world, name) for name in ("a", "b")], each=8)
    worker = at_work(world, Scripted(), in_round=4)
    assert [await worker.turn() for _ in range(5)] == [4, 4, 4, 4, 0]
    await worker.rest()
    assert set(await states(world, rows)) == {DeliveryState.ACKNOWLEDGED}


async def test_a_client_that_keeps_failing_is_left_alone_for_a_while() -> None:
    world = await make_world()
    connector = Scripted(answers={"dead": NoAnswer("connect", sent=False)})
    await owe(world, [client(world, "dead", concurrency=5)], each=20)
    worker = at_work(world, connector)
    assert await one_round(worker) == 5
    assert await one_round(worker) == 0
    world.clock.advance(5_000)
    assert await one_round(worker) == 1, "one, to see"
    assert await one_round(worker) == 0
    connector.answers.clear()
    world.clock.advance(30_000)
    assert await one_round(worker) == 1
    assert await one_round(worker) == 5


async def test_who_is_asked_for_by_hand_is_left_alone_no_longer() -> None:
    world = await make_world()
    connector = Scripted(answers={"dead": NoAnswer("connect", sent=False)})
    rows = await owe(world, [client(world, "dead", concurrency=5)], each=20)
    worker = at_work(world, connector)
    running = asyncio.create_task(worker.run())
    await until(lambda: len(connector.told) == 5)
    await worker.rest()
    connector.answers.clear()
    assert await one_round(worker) == 0, "left alone"
    admin = operator(TENANT, Origin(dialect=DialectName("native")))
    await redeliver(world.env, admin, rows[-1].id)
    await until(lambda: len(connector.told) == 20)
    worker.stop()
    await running
    told = {notice.delivery for _, notice in connector.told}
    assert len(told) == 20, "not that one alone"


def test_breaks_grow_and_a_success_ends_them() -> None:
    pace, circuit, now = Pace(break_after=1), Circuit(), Instant(0)
    for wait in (*pace.breaks, pace.breaks[-1]):
        circuit.note(Outcome.RETRY, now, pace)
        assert circuit.slots(8, Instant(now + wait - 1)) == 0
        now = Instant(now + wait)
        assert circuit.slots(8, now) == 1
    circuit.note(Outcome.DONE, now, pace)
    assert circuit.slots(8, now) == 8


async def test_two_workers_share_without_sending_twice() -> None:
    world = await make_world()
    connector = Scripted()
    rows = await owe(world, [client(world, f"app-{number}") for number in range(20)], each=5)
    workers = [at_work(world, connector) for _ in range(2)]
    while sum(await asyncio.gather(*(worker.turn() for worker in workers))):
        await asyncio.gather(*(worker.rest() for worker in workers))
    assert len(connector.told) == len(rows)
    assert set(await states(world, rows)) == {DeliveryState.ACKNOWLEDGED}


async def test_a_worker_that_died_in_the_middle_leaves_a_doubt_and_no_gap() -> None:
    """Its claim runs out, another repeats, and a refusal of the repeat proves nothing."""
    world = await make_world()
    rows = await owe(world, [client(world, "wiki")])
    over = asyncio.Event()

    async def never() -> Told:
        await over.wait()
        return DONE

    dead = at_work(world, Scripted(answers={"wiki": never}))
    await dead.turn()
    connector = Scripted(answers={"wiki": Told(outcome=Outcome.REFUSED, status=400)})
    heir = at_work(world, connector)
    assert await one_round(heir) == 0, "the claim still stands"
    world.clock.advance(60_000)
    assert await one_round(heir) == 1
    assert await states(world, rows) == [DeliveryState.SENT]
    over.set()
    await dead.rest()
    assert await states(world, rows) == [DeliveryState.SENT]


async def test_a_late_answer_does_not_undo_what_another_worker_found() -> None:
    world = await make_world()
    rows = await owe(world, [client(world, "wiki", timeout=Duration(60_000))])
    gate = asyncio.Event()

    async def late() -> Told:
        await gate.wait()
        return AGAIN

    slow = at_work(world, Scripted(answers={"wiki": late}))
    await slow.turn()
    world.clock.advance(120_000)
    await one_round(at_work(world, Scripted()))
    gate.set()
    await slow.rest()
    assert await states(world, rows) == [DeliveryState.ACKNOWLEDGED]
    async with world.env.store.transaction(TENANT) as tx:
        attempts = await tx.attempts(rows[0].id)
    assert [one.number for one in attempts] == [1, 2]


@pytest.mark.parametrize("change", [{"enabled": False}, {"connector": "gone"}])
async def test_a_client_that_was_muted_since_cannot_be_told(change: dict[str, Any]) -> None:
    world = await make_world()
    rows = await owe(world, [client(world, "wiki")])
    async with world.env.store.transaction(TENANT) as tx:
        await tx.put_client(client(world, "wiki", **change))
    assert await one_round(at_work(world, Scripted())) == 0
    assert await states(world, rows) == [DeliveryState.CANNOT_BE_TOLD]
    async with world.env.store.transaction(TENANT) as tx:
        last = (await tx.records())[-1].event
    assert (last.action, last.outcome, last.code) == ("delivery", "refused", "cannot-be-told")
    assert last.target == rows[0].id


async def complete(world: World) -> None:
    async with world.env.store.transaction(TENANT) as tx:
        await tx.progress(ReceiptId("r"), 0, complete=True)


async def test_the_last_notice_of_a_logout_is_told_of_once() -> None:
    world = await make_world()
    over: list[Over] = []
    connector = Scripted(answers={"slow": NoAnswer("connect", sent=False)})
    worker = Worker(env=world.env, connectors={"scripted": connector}, on_over=over.append)
    await owe(world, [client(world, "quick"), client(world, "slow")])
    await complete(world)
    await one_round(worker)
    assert over == []
    connector.answers.clear()
    world.clock.advance(6_500)
    await one_round(worker)
    assert [(one.receipt.revocation.id, one.at, one.well) for one in over] == [
        ("r", world.clock.now(), True)
    ]
    world.clock.advance(6_500)
    assert await one_round(worker) == 0
    assert len(over) == 1


async def test_a_logout_is_not_over_while_rows_are_still_to_be_ended() -> None:
    world = await make_world()
    over: list[Over] = []
    worker = Worker(env=world.env, connectors={"scripted": Scripted()}, on_over=over.append)
    await owe(world, [client(world, "wiki")])
    await one_round(worker)
    assert over == []


async def test_a_logout_that_an_application_was_never_told_of_did_not_end_well() -> None:
    world = await make_world()
    over: list[Over] = []
    worker = Worker(env=world.env, connectors={}, on_over=over.append)
    await owe(world, [client(world, "wiki")])
    await complete(world)
    await one_round(worker)
    assert [one.well for one in over] == [False]


async def test_a_secret_that_cannot_be_opened_is_that_clients_trouble_alone() -> None:
    world = await make_world()
    broken = client(world, "broken", secrets={"key": "sealed elsewhere"})
    sealed = world.vault.seal("s3cret", "client:fine:key")
    rows = await owe(world, [broken, client(world, "fine", secrets={"key": sealed})])
    await one_round(at_work(world, Scripted()))
    assert await states(world, rows) == [DeliveryState.QUEUED, DeliveryState.ACKNOWLEDGED]


async def test_a_notice_is_given_up_when_the_patience_is_over() -> None:
    world = await make_world()
    connector = Scripted(answers={"dead": NoAnswer("connect", sent=False)})
    rows = await owe(world, [client(world, "dead")])
    worker = at_work(world, connector, patience=Duration(10_000))
    for _ in range(3):
        await one_round(worker)
        world.clock.advance(6_500)
    assert await states(world, rows) == [DeliveryState.UNREACHABLE]


@pytest.mark.slow
async def test_one_that_hangs_among_ten_thousand_delays_nobody() -> None:
    """All the others are told while the one is still hanging, though it was owed first."""
    world = await make_world()
    over = asyncio.Event()

    async def hang() -> Told:
        await over.wait()
        return DONE

    clients = [client(world, f"app-{number}", timeout=Duration(60_000)) for number in range(10_000)]
    rows = await owe(world, clients)
    worker = at_work(world, Scripted(answers={"app-0": hang}))
    running = asyncio.create_task(worker.run())
    async with asyncio.timeout(180):
        while world.env.store.outbox_depth().get(DeliveryState.ACKNOWLEDGED, 0) < len(rows) - 1:  # noqa: ASYNC110  # what is watched is the store
            await asyncio.sleep(0.01)
    assert await states(world, rows[:1]) == [DeliveryState.QUEUED]
    over.set()
    worker.stop()
    await running
    assert set(await states(world, rows)) == {DeliveryState.ACKNOWLEDGED}
