"""Every way a session can end owes every application its notice, in the transaction of the end."""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from lastcall.authority.ending import end_scope
from lastcall.authority.login import LoggedIn
from lastcall.authority.logout import logout
from lastcall.authority.mass import Order, mass_logout
from lastcall.authority.preview import preview
from lastcall.authority.refresh import refresh
from lastcall.authority.subjects import change_subject, remove_subject
from lastcall.authority.sweep import sweep
from lastcall.domain.access import operator
from lastcall.domain.client import Client, Naming
from lastcall.domain.delivery import Delivery, DeliveryState
from lastcall.domain.errors import Conflict, Denied, NotAuthenticated
from lastcall.domain.logout import OfDialect, OfSessions, OfSubject, OfTenant, OneSession, Scope
from lastcall.domain.policy import Policy, WhenFull, capped
from lastcall.domain.selection import Selection
from lastcall.domain.session import Lifetime, Participant, Session
from lastcall.domain.types import (
    DAY,
    HOUR,
    ClientId,
    Duration,
    EndReason,
    Instant,
    SessionId,
    SubjectId,
)
from lastcall.index import Change, Changed, EndedTogether, Report
from lastcall.stores.memory import AtOnce, MemoryStore
from tests.access.driving import PASSWORD, Held, Wire, make_crowd, named, peer
from tests.access.endings import ENDINGS, Ending, Target
from tests.access.wires import WIRES
from tests.authority.acts import begin, mint, origin
from tests.world import OTHER, TENANT, World, make_world

BOSS = operator(TENANT, origin())
JOHN = SubjectId("u-john")


class Watch(AtOnce):
    """A log that remembers what was written together."""

    def __init__(self) -> None:
        super().__init__()
        self.units: list[list[Changed]] = []

    def append(self, ticket: int, changes: Sequence[Change], report: Report) -> bool:
        self.units.append([row for change in changes for row in each(change)])
        return super().append(ticket, changes, report)

    def ends(self) -> list[tuple[list[Session], list[Delivery]]]:
        """For each unit that ended sessions: which, and what it began to owe."""
        found = []
        for rows in self.units:
            ended = [
                row.after
                for row in rows
                if isinstance(row.after, Session)
                and row.after.ended is not None
                and not (isinstance(row.before, Session) and row.before.ended is not None)
            ]
            owed = [
                row.after for row in rows if isinstance(row.after, Delivery) and row.before is None
            ]
            if ended or owed:
                found.append((ended, owed))
        return found


def each(change: Change) -> Iterable[Changed]:
    if isinstance(change, EndedTogether):
        return change.each()
    return (change,) if isinstance(change, Changed) else ()


def client(name: str, **more: Any) -> Client:
    made = Client(
        id=ClientId(name),
        tenant=TENANT,
        name=name,
        connector="webhook",
        created=Instant(0),
        changed=Instant(0),
    )
    return replace(made, **more)


CLIENTS = {
    one.name: one
    for one in (
        client("wiki"),
        client("crm", naming=Naming.BOTH),
        client("mail", naming=Naming.SUB),
        client("fax", connector=""),
        client("vpn", naming=Naming.SUB, always=True),
    )
}
JOINABLE = ("wiki", "crm", "mail", "fax")


@dataclass
class Scene:
    world: World
    watch: Watch
    begun: list[LoggedIn] = field(default_factory=list)


async def put_clients(world: World) -> None:
    async with world.env.store.transaction(TENANT) as tx:
        for one in CLIENTS.values():
            await tx.put_client(one)


async def join_all(world: World, session: SessionId) -> None:
    async with world.env.store.transaction(TENANT) as tx:
        for name in JOINABLE:
            joined = Participant(client=ClientId(name), sid=f"{name}-{session}", account="")
            assert await tx.join(session, joined)


async def scene(batch: int = 2_000, **more: Any) -> Scene:
    """John twice on two wires, and somebody else, all of them in every application."""
    watch = Watch()
    world = await make_world(MemoryStore(watch), Policy(batch=batch))
    await put_clients(world)
    here = await begin(world, "john", refreshable=True, **more)
    there = await begin(world, "john", dialect="elvis", **more)
    other = await begin(world, "monitor", dialect="rsa", lifetime=Lifetime(idle=None, absolute=DAY))
    begun = [here, there, other]
    for one in begun:
        await join_all(world, one.session.id)
    watch.units.clear()
    return Scene(world, watch, begun)


def expected(session: Session) -> Counter[tuple[str, str, str]]:
    """(client, subject, sid) of what one end owes."""
    owed = [(joined.client, joined.sid) for joined in session.participants]
    owed.append((ClientId("vpn"), ""))
    by_subject = {"mail", "vpn"}
    return Counter((name, session.subject, "" if name in by_subject else sid) for name, sid in owed)


def check_all_owed(watch: Watch) -> list[Session]:
    """Each unit owes exactly what its ends owe, but for what the same receipt owed before."""
    everybody: list[Session] = []
    before: set[tuple[str, str, str, str]] = set()
    for ended, owed in watch.ends():
        receipts = {one.receipt for one in owed}
        assert ended, "nothing is owed but by an end"
        assert len(receipts) <= 1
        want = {key for session in ended for key in expected(session)}
        got = [(one.client, one.subject, one.sid) for one in owed]
        assert len(got) == len(set(got))
        known = {key[1:] for key in before if key[0] in receipts}
        assert set(got) >= {key for key in want if key[2]}, "one for each session there"
        assert set(got) | known >= want
        assert set(got) <= want
        before |= {(one.receipt, one.client, one.subject, one.sid) for one in owed}
        everybody += ended
    return everybody


async def swept(world: World) -> None:
    while await sweep(world.env):
        continue


Way = Callable[[Scene], Awaitable[object]]


def ordered(scope: Callable[[Scene], Scope], *, own: bool = False) -> Way:
    def way(on: Scene) -> Awaitable[object]:
        return logout(on.world.env, on.begun[0].caller if own else BOSS, scope(on))

    return way


def changing(**fields: object) -> Way:
    def way(on: Scene) -> Awaitable[object]:
        return change_subject(
            on.world.env,
            BOSS,
            JOHN,
            lambda one: replace(one, **fields),  # type: ignore[arg-type]  # the table is the test
        )

    return way


def waiting(time: Duration) -> Way:
    async def way(on: Scene) -> None:
        on.world.clock.advance(time)

    return way


async def evicted(on: Scene) -> None:
    await begin(on.world, "john", admission=(capped(1, WhenFull.END_OLDEST),))


async def reused(on: Scene) -> None:
    for _ in range(2):
        verb = refresh(
            on.world.env,
            TENANT,
            on.begun[0].refresh,
            origin(),
            mint=mint,
            mint_refresh=mint,
            token_life=Duration(HOUR),
        )
        try:
            await verb
        except NotAuthenticated:
            return


async def selected(on: Scene) -> None:
    shown = await preview(on.world.env, BOSS, Selection(subjects=frozenset({JOHN})))
    await mass_logout(on.world.env, BOSS, Order(preview=shown.id, reason="leak"))


def one(on: Scene) -> OneSession:
    return OneSession(session=on.begun[0].session.id)


WAYS: dict[str, tuple[Way, set[int]]] = {
    "one's own": (ordered(one, own=True), {0}),
    "by id": (ordered(one), {0}),
    "by subject": (ordered(lambda _: OfSubject(subject=JOHN)), {0, 1}),
    "others": (
        ordered(lambda on: OfSubject(subject=JOHN, keep=on.begun[0].session.id), own=True),
        {1},
    ),
    "by dialect": (ordered(lambda on: OfDialect(dialect=on.begun[1].session.dialect)), {1}),
    "all": (ordered(lambda _: OfTenant()), {0, 1, 2}),
    "a set": (
        ordered(
            lambda on: OfSessions(
                sessions=frozenset(b.session.id for b in (on.begun[0], on.begun[2]))
            )
        ),
        {0, 2},
    ),
    "selected": (selected, {0, 1}),
    "idle": (waiting(HOUR), {0, 1}),
    "expired": (waiting(DAY), {0, 1, 2}),
    "evicted": (evicted, {0, 1}),
    "password": (changing(password_hash="fake$other"), {0, 1}),
    "disabled": (changing(enabled=False), {0, 1}),
    "role": (changing(role="engineer"), {0, 1}),
    "factor": (changing(totp_secret="sealed"), {0, 1}),
    "removed": (lambda on: remove_subject(on.world.env, BOSS, JOHN), {0, 1}),
    "refresh reused": (reused, {0}),
}


@pytest.mark.parametrize("batch", [1, 2_000])
@pytest.mark.parametrize("name", WAYS)
async def test_every_way_to_end_owes_everybody_once(name: str, batch: int) -> None:
    on = await scene(batch)
    way, ends = WAYS[name]
    await way(on)
    await swept(on.world)
    gone = check_all_owed(on.watch)
    assert {session.id for session in gone} == {on.begun[index].session.id for index in ends}
    assert len(gone) == len(ends)
    async with on.world.env.store.transaction(TENANT) as tx:
        owed = await tx.deliveries(limit=1_000)
        for each in owed:
            receipt = await tx.receipt(each.receipt)
            assert receipt is not None
            assert receipt.complete
            told = each.client != "fax"
            assert (each.state is DeliveryState.QUEUED) == told == (each.next_at is not None)
            assert each.account == ("monitor" if each.subject == "u-monitor" else "john")


@pytest.mark.parametrize("wire", WIRES, ids=named)
async def test_every_wires_own_logout_owes_everybody(wire: Wire) -> None:
    world, watch, held = await on_wire(wire, "monitor-a")
    answer = await wire.leave(world, held)
    assert answer.granted
    assert [session.id for session in check_all_owed(watch)] == [held.session]


@pytest.mark.parametrize("way", ENDINGS, ids=lambda way: way.name)
async def test_every_wires_way_to_end_another_owes_everybody(way: Ending) -> None:
    world, watch, held = await on_wire(way.wire, "monitor-b")
    by = await way.wire.enter(world, peer("admin-a"))
    answer = await way.run(world, by, Target.of(held))
    assert answer.granted
    assert held.session in {session.id for session in check_all_owed(watch)}


async def on_wire(wire: Wire, name: str) -> tuple[World, Watch, Held]:
    watch = Watch()
    world = await make_crowd(store=MemoryStore(watch))
    await put_clients(world)
    held = await wire.enter(world, peer(name), PASSWORD)
    await join_all(world, SessionId(held.session))
    watch.units.clear()
    return world, watch, held


async def test_a_whole_logout_of_nobody_here_still_tells_who_is_always_told() -> None:
    watch = Watch()
    world = await make_world(MemoryStore(watch))
    await put_clients(world)
    watch.units.clear()
    for scope in (
        OfSubject(subject=JOHN, dialect=origin().dialect),
        OfSubject(subject=JOHN, keep=SessionId("s")),
        OfTenant(),
    ):
        await logout(world.env, BOSS, scope)
    assert watch.ends() == []
    await logout(world.env, BOSS, OfSubject(subject=JOHN))
    ((_, owed),) = watch.ends()
    assert [(each.client, each.subject, each.sid, each.account) for each in owed] == [
        ("vpn", JOHN, "", "john")
    ]


async def test_a_logout_of_somebody_unknown_owes_nothing() -> None:
    watch = Watch()
    world = await make_world(MemoryStore(watch))
    await put_clients(world)
    scope = OfSubject(subject=SubjectId("u-nobody"))
    async with world.env.store.transaction(TENANT) as tx:
        await end_scope(tx, world.env, BOSS, scope, EndReason.REVOKED, "")
    assert watch.ends() == []


async def test_names_come_from_the_join_the_list_or_the_rule() -> None:
    on = await scene()
    async with on.world.env.store.transaction(TENANT) as tx:
        await tx.put_account(ClientId("mail"), JOHN, "jdoe")
        at_wiki = Participant(
            client=ClientId("wiki"), sid=f"wiki-{on.begun[0].session.id}", account="Johnny"
        )
        await tx.join(on.begun[0].session.id, at_wiki)
    await logout(on.world.env, BOSS, one(on))
    async with on.world.env.store.transaction(TENANT) as tx:
        names = {each.client: each.account for each in await tx.deliveries()}
    assert names == {"wiki": "Johnny", "crm": "john", "mail": "jdoe", "fax": "john", "vpn": "john"}


async def test_two_names_at_one_client_are_two_notices() -> None:
    """Or else whoever joined under another's session id would swallow the other's notice."""
    on = await scene()
    stolen = f"wiki-{on.begun[2].session.id}"
    async with on.world.env.store.transaction(TENANT) as tx:
        for begun, account in ((on.begun[0], "one"), (on.begun[1], "two")):
            for name in ("mail", "wiki"):
                joined = Participant(client=ClientId(name), sid=stolen, account=account)
                await tx.join(begun.session.id, joined)
    await logout(on.world.env, BOSS, OfTenant())
    async with on.world.env.store.transaction(TENANT) as tx:
        at = {name: await tx.deliveries(client=ClientId(name)) for name in ("mail", "wiki")}
    named_there = {(each.sid, each.account) for each in at["wiki"]}
    assert {(stolen, "one"), (stolen, "two"), (stolen, "monitor")} < named_there
    assert {each.account for each in at["mail"]} == {"john", "one", "two", "monitor"}


async def test_who_is_always_told_and_has_joined_is_told_as_it_joined() -> None:
    on = await scene()
    async with on.world.env.store.transaction(TENANT) as tx:
        await tx.put_client(client("wiki", always=True))
    await logout(on.world.env, BOSS, OfSubject(subject=JOHN))
    async with on.world.env.store.transaction(TENANT) as tx:
        owed = await tx.deliveries(client=ClientId("wiki"))
    assert {each.sid for each in owed} == {f"wiki-{b.session.id}" for b in on.begun[:2]}


async def test_a_set_is_ones_own_only_if_all_of_it_is() -> None:
    on = await scene()
    mine, theirs = (on.begun[index].session.id for index in (1, 2))
    me = on.begun[0].caller
    for foreign in (theirs, SessionId("none")):
        with pytest.raises(Denied):
            await logout(on.world.env, me, OfSessions(sessions=frozenset({mine, foreign})))
    done = await logout(on.world.env, me, OfSessions(sessions=frozenset({mine})))
    assert [session.ended and session.ended.why for session in done.ended] == [EndReason.LOGOUT]


async def test_a_participant_whose_account_or_application_is_gone() -> None:
    on = await scene()
    async with on.world.env.store.transaction(TENANT) as tx:
        await tx.remove_client(ClientId("wiki"))
        at_crm = Participant(
            client=ClientId("crm"), sid=f"crm-{on.begun[0].session.id}", account="jd"
        )
        await tx.join(on.begun[0].session.id, at_crm)
        await tx.remove_subject(JOHN)
    await logout(on.world.env, BOSS, OfTenant())
    async with on.world.env.store.transaction(TENANT) as tx:
        owed = await tx.deliveries(subject=JOHN)
    assert {(each.client, each.account) for each in owed} == {
        ("crm", "jd"),
        ("crm", ""),
        ("mail", ""),
        ("fax", ""),
        ("vpn", ""),
    }


async def test_what_is_undone_owes_nothing() -> None:
    on = await scene()
    with pytest.raises(Conflict):
        await change_subject(
            on.world.env,
            BOSS,
            JOHN,
            lambda it: replace(it, username="admin", password_hash="fake$new"),
        )
    assert on.watch.ends() == []
    assert not any(on.world.env.store.outbox_depth().values())
    assert on.world.env.store.next_due() is None


async def test_another_tenants_applications_are_owed_nothing() -> None:
    on = await scene()
    async with on.world.env.store.transaction(OTHER) as tx:
        await tx.put_client(client("wiki", tenant=OTHER, always=True))
    await logout(on.world.env, BOSS, OfTenant())
    async with on.world.env.store.transaction(OTHER) as tx:
        assert await tx.deliveries() == []
    stranger = await begin(on.world, "stranger", tenant=OTHER)
    await logout(on.world.env, stranger.caller, OneSession(session=stranger.session.id))
    async with on.world.env.store.transaction(OTHER) as tx:
        assert [each.tenant for each in await tx.deliveries()] == [OTHER]


async def test_a_batch_that_comes_late_is_tried_with_full_patience() -> None:
    on = await scene(batch=1)
    await logout(on.world.env, BOSS, OfTenant())
    at = on.world.clock.now()
    on.world.clock.advance(HOUR)
    await swept(on.world)
    async with on.world.env.store.transaction(TENANT) as tx:
        owed = [each for each in await tx.deliveries() if each.client == "wiki"]
    assert sorted(each.created - at for each in owed) == [0, HOUR, HOUR]
    assert {each.until for each in owed} == {at + CLIENTS["wiki"].outlives}
