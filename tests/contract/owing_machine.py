"""The same random lives with applications in them: each is told, or visibly given up, or waits.

A worker of few words takes what is due; it may be lucky, unlucky, or die with its claim.
"""

from dataclasses import replace

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from lastcall.authority.joining import join
from lastcall.domain.access import service
from lastcall.domain.client import Client, Naming
from lastcall.domain.delivery import Attempt, Delivery, DeliveryId, DeliveryState, Outcome
from lastcall.domain.errors import NotFound
from lastcall.domain.origin import Origin
from lastcall.domain.settling import after, claimable, claimed
from lastcall.domain.types import MINUTE, ClientId, Duration, Instant, SessionId, TenantId, later
from lastcall.outward import opened_sid
from tests.contract.machine import WIRES, Life, Machine
from tests.world import OTHER, TENANT

WIKI, MAIL, FAX = ClientId("wiki"), ClientId("mail"), ClientId("fax")
EVER = Instant(2**62)
MOST = 10_000


def clients_of(tenant: TenantId) -> list[Client]:
    wiki = Client(
        id=WIKI, tenant=tenant, name="wiki", connector="any", created=Instant(0), changed=Instant(0)
    )
    mail = replace(wiki, id=MAIL, name="mail", naming=Naming.SUB)
    return [wiki, mail, replace(wiki, id=FAX, name="fax", connector="")]


class OwingMachine(Machine):
    def __init__(self) -> None:
        super().__init__()
        self.joined: set[tuple[TenantId, ClientId, SessionId]] = set()

    @initialize()
    def begin(self) -> None:
        super().begin()

        async def put() -> None:
            for tenant in (TENANT, OTHER):
                async with self.store.transaction(tenant) as tx:
                    for client in clients_of(tenant):
                        await tx.put_client(client)

        self.run_(put())

    # --- what happens ---

    @rule(life=Machine.lives, client=st.sampled_from([WIKI, MAIL, FAX]))
    def join(self, life: Life, client: ClientId) -> None:
        by = service(life.tenant, Origin(dialect=WIRES[0]), "app")
        try:
            self.run_(join(self.env, by, life.id, client, life.id))
        except NotFound:
            assert not life.live(self.now)
            return
        assert life.live(self.now)
        self.joined.add((life.tenant, client, life.id))

    @rule(luck=st.lists(st.none() | st.sampled_from(Outcome), min_size=1, max_size=4))
    def a_worker_takes_its_turn(self, luck: list[Outcome | None]) -> None:
        taken = self.store.due(self.now, most_of_one=2, limit=len(luck))
        for (tenant, one, client), outcome in zip(taken, luck, strict=False):
            delivery = self.run_(self.claim(tenant, one))
            assert delivery.client == client
            if outcome is not None:
                self.run_(self.settle(delivery, outcome))

    async def claim(self, tenant: TenantId, id: DeliveryId) -> Delivery:
        async with self.store.transaction(tenant) as tx:
            found = await tx.delivery(id)
            assert found is not None
            assert claimable(found, self.now), "what is due can be claimed"
            mine = claimed(found, later(self.now, MINUTE))
            await tx.put_delivery(mine)
        return mine

    async def settle(self, delivery: Delivery, outcome: Outcome) -> None:
        attempt = Attempt(
            delivery=delivery.id,
            number=delivery.attempts,
            at=self.now,
            took=Duration(1),
            outcome=outcome,
        )
        async with self.store.transaction(delivery.tenant) as tx:
            await tx.add_attempt(attempt)
            await tx.put_delivery(after(delivery, attempt, 0.5))

    # --- what is true at every moment ---

    @invariant()
    def what_is_owed_waits_or_has_come_to_an_end(self) -> None:
        if not hasattr(self, "world"):
            return
        due = self.store.due(EVER, most_of_one=MOST, limit=MOST)
        waiting = {(tenant, delivery) for tenant, delivery, _ in due}
        assert len(waiting) == len(due)
        unsettled = set()
        states = dict.fromkeys(DeliveryState, 0)
        for one in self.owed():
            states[one.state] += 1
            if one.next_at is not None:
                assert one.settled_at is None
                assert one.state in (DeliveryState.QUEUED, DeliveryState.SENT)
                unsettled.add((one.tenant, one.id))
            else:
                assert one.settled_at is not None
                assert one.state is not DeliveryState.QUEUED
        assert waiting == unsettled
        assert self.store.outbox_depth() == states
        assert (self.store.next_due() is None) == (not waiting)

    def finish(self) -> None:
        """Once all is swept, every participant of what has ended is owed, and nobody else."""
        super().finish()
        owed = self.owed()
        vault = self.world.env.vault
        by_session = [
            (one.tenant, one.client, opened_sid(vault, one.client, one.sid))
            for one in owed
            if one.sid
        ]
        assert len(by_session) == len(set(by_session))
        over = {(one.tenant, one.id): one for one in self.all if not one.live(self.now)}
        ended = {it for it in self.joined if (it[0], it[2]) in over}
        assert set(by_session) == {it for it in ended if it[1] != MAIL}
        whole = {(one.tenant, one.subject) for one in owed if not one.sid}
        mailed = [over[it[0], it[2]] for it in ended if it[1] == MAIL]
        assert whole == {(life.tenant, life.subject) for life in mailed}
        assert sum(not one.sid for one in owed) <= len(mailed)

    def owed(self) -> list[Delivery]:
        async def read() -> list[Delivery]:
            found: list[Delivery] = []
            for tenant in (TENANT, OTHER):
                async with self.store.transaction(tenant) as tx:
                    found += await tx.deliveries(limit=MOST)
            return found

        return self.run_(read())
