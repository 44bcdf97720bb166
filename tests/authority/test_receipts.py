"""What a receipt tells at each stage, who may see it, and when it can be had signed."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from lastcall.authority import watching
from lastcall.authority.audit_heads import audit_head, audit_links
from lastcall.authority.logout import logout
from lastcall.authority.receipts import receipt, signed_receipt
from lastcall.authority.showing import shown_receipt, shown_status
from lastcall.authority.showing_parts import in_words
from lastcall.authority.status import status
from lastcall.authority.watching import finished_receipt, watch
from lastcall.dialects.native import proof_shapes
from lastcall.domain.access import Caller, operator
from lastcall.domain.client import Ability, Client, Naming
from lastcall.domain.delivery import Attempt, Delivery, DeliveryState, Outcome
from lastcall.domain.errors import Denied, NotAuthenticated, NotFound, Unfinished
from lastcall.domain.logout import (
    OfDialect,
    OfSessions,
    OfSubject,
    OfTenant,
    OneSession,
    Revocation,
    Scope,
)
from lastcall.domain.policy import Policy
from lastcall.domain.session import Participant
from lastcall.domain.types import (
    HOUR,
    ClientId,
    DialectName,
    Duration,
    EndReason,
    Instant,
    ReceiptId,
    SessionId,
    SubjectId,
)
from tests.authority.acts import begin, origin
from tests.world import TENANT, World, make_world

JOHN = SubjectId("u-john")
BOSS = operator(TENANT, origin("command-line"))
QUICK = Duration(1)


def application(name: str, **more: Any) -> Client:
    at = Instant(0)
    fields = {"connector": "webhook", "naming": Naming.SUB, "outlives": HOUR, **more}
    return Client(
        id=ClientId(f"c_{name}"), tenant=TENANT, name=name, created=at, changed=at, **fields
    )


async def out_of(world: World, *clients: Client) -> ReceiptId:
    """John logs in, joins the applications, and is logged out; the receipt."""
    async with world.env.store.transaction(TENANT) as tx:
        for client in clients:
            await tx.put_client(client)
    session = (await begin(world, "john")).session.id
    async with world.env.store.transaction(TENANT) as tx:
        for client in clients:
            await tx.join(session, Participant(client=client.id, sid="", account=""))
    done = await logout(world.env, BOSS, OfSubject(subject=JOHN), "gone")
    return done.receipt.revocation.id


async def owed(world: World, ref: ReceiptId, client: str = "") -> Sequence[Delivery]:
    async with world.env.store.transaction(TENANT) as tx:
        wanted = ClientId(f"c_{client}") if client else None
        return await tx.deliveries(receipt=ref, client=wanted)


async def settle(world: World, delivery: Delivery, state: DeliveryState, status: int = 200) -> None:
    now = world.clock.now()
    attempt = Attempt(
        delivery=delivery.id,
        number=delivery.attempts + 1,
        at=now,
        took=Duration(5),
        outcome=Outcome.DONE,
        status=status,
    )
    done = replace(
        delivery,
        state=state,
        next_at=None,
        settled_at=now,
        attempts=delivery.attempts + 1,
        last_status=status,
    )
    async with world.env.store.transaction(TENANT) as tx:
        await tx.put_delivery(done)
        await tx.add_attempt(attempt)


async def settle_all(world: World, ref: ReceiptId, state: DeliveryState) -> None:
    for one in await owed(world, ref):
        await settle(world, one, state)


async def shown(world: World, ref: ReceiptId) -> dict[str, Any]:
    """As shown, and as the native API says that it looks."""
    found = shown_receipt(await receipt(world.env, BOSS, ref))
    msgspec.convert(found, proof_shapes.ReceiptView)
    names = {field.encode_name for field in msgspec.structs.fields(proof_shapes.ReceiptView)}
    assert found.keys() <= names
    return found


async def test_from_queued_to_everyone_out() -> None:
    world = await make_world()
    ref = await out_of(world, application("crm"), application("wiki"))
    first = await shown(world, ref)
    assert first["totals"] == {"queued": 2}
    assert (first["finished"], first["left_total"], len(first["left"])) == (False, 2, 2)
    assert first["verdict"] == "out here; left elsewhere: 2 queued"
    assert first["authority"] == {
        "as": "operator",
        "role": "operator",
        "dialect": "command-line",
    }
    with pytest.raises(Unfinished):
        await signed_receipt(world.env, BOSS, ref, shown_receipt)
    world.clock.advance(1_420)
    await settle_all(world, ref, DeliveryState.ACKNOWLEDGED)
    last = await shown(world, ref)
    assert last["verdict"] == "everyone out after 1.42 s, acknowledged by every application"
    assert (last["everyone_out_after_ms"], last["certainty"]) == (1_420, "acknowledged")
    assert [one["attempts"][0]["status"] for one in last["deliveries"]] == [200, 200]
    assert [one["name"] for one in last["applications"]] == ["crm", "wiki"]
    assert last["left"] == []
    assert await signed_receipt(world.env, BOSS, ref, shown_receipt)


async def test_verified_is_said_only_when_all_are() -> None:
    world = await make_world()
    ref = await out_of(world, application("crm"), application("wiki"))
    one, other = await owed(world, ref)
    await settle(world, one, DeliveryState.VERIFIED)
    await settle(world, other, DeliveryState.ACKNOWLEDGED)
    assert (await shown(world, ref))["certainty"] == "acknowledged"
    await settle_all(world, ref, DeliveryState.VERIFIED)
    assert (await shown(world, ref))["certainty"] == "verified"


async def test_what_failed_is_named_and_signed_all_the_same() -> None:
    world = await make_world()
    ref = await out_of(world, application("crm"), application("legacy", connector=""))
    (told,) = await owed(world, ref, "crm")
    await settle(world, told, DeliveryState.REFUSED, 403)
    found = await shown(world, ref)
    assert found["finished"]
    assert "everyone_out_at" not in found
    assert found["verdict"] == "out here; left elsewhere: 1 refused, 1 cannot-be-told"
    by_name = {one["name"]: one for one in found["left"]}
    assert by_name["legacy"]["state"] == "cannot-be-told"
    assert by_name["legacy"]["until"] == "2016-04-07T11:27:20.683Z"
    assert by_name["crm"]["last_status"] == 403
    assert await signed_receipt(world.env, BOSS, ref, shown_receipt)


async def test_who_only_refuses_new_tokens_is_not_out_before_the_old_ones_are() -> None:
    world = await make_world()
    ref = await out_of(world, application("api", can=Ability.NEW_TOKENS))
    await settle_all(world, ref, DeliveryState.ACKNOWLEDGED)
    found = await shown(world, ref)
    assert found["finished"]
    assert "everyone_out_at" not in found
    assert found["verdict"].startswith("every application told; tokens given out before live until")
    assert found["tokens_until"] == "2016-04-07T11:27:20.683Z"
    world.clock.advance(HOUR)
    assert (await shown(world, ref))["everyone_out_after_ms"] == HOUR


async def test_a_removed_application_is_still_accounted_for() -> None:
    world = await make_world()
    ref = await out_of(world, application("crm"))
    async with world.env.store.transaction(TENANT) as tx:
        await tx.remove_client(ClientId("c_crm"))
    found = await shown(world, ref)
    assert found["applications"] == [{"id": "c_crm", "states": {"queued": 1}, "total": 1}]


async def test_pages_of_deliveries_and_totals_of_all() -> None:
    world = await make_world()
    ref = await out_of(world, *(application(f"a{number}") for number in range(5)))
    seen: list[str] = []
    after: str | None = ""
    while after is not None:
        view = await receipt(world.env, BOSS, ref, after=after, limit=2)
        assert view.totals == {DeliveryState.QUEUED: 5}
        seen += [one.delivery.id for one in view.tried]
        after = view.next
    assert seen == sorted(one.id for one in await owed(world, ref))
    assert len(seen) == 5
    assert (await receipt(world.env, BOSS, ref, limit=0)).next is None


async def test_rows_that_are_still_being_ended() -> None:
    batch = 3
    world = await make_world(policy=Policy(batch=batch))
    for _ in range(batch):
        await begin(world, "john")
    done = await logout(world.env, BOSS, OfSubject(subject=JOHN))
    found = await shown(world, done.receipt.revocation.id)
    assert (found["complete"], found["sessions_ended"]) == (False, batch)
    assert found["verdict"] == "refused everywhere here; sessions are still being ended one by one"


@pytest.mark.parametrize(
    ("by", "by_name", "expected"),
    [(JOHN, "john", "account"), (None, "operator", "operator"), (None, "", "rule")],
)
async def test_by_what_right_where_the_record_does_not_say(
    by: SubjectId | None, by_name: str, expected: str
) -> None:
    world = await make_world()
    rule = Revocation(
        id=ReceiptId("r_x"),
        tenant=TENANT,
        scope=OfTenant(),
        serial=(await begin(world, "john")).session.serial,
        at=world.clock.now(),
        why=EndReason.EXPIRED,
        by=by,
        by_name=by_name,
        reason="",
        via=DialectName("sweep"),
    )
    async with world.env.store.transaction(TENANT) as tx:
        await tx.add_revocation(rule)
        await tx.progress(rule.id, 0, complete=True)
    assert (await shown(world, rule.id))["authority"] == {"as": expected, "dialect": "sweep"}
    with pytest.raises(Unfinished):
        await signed_receipt(world.env, BOSS, rule.id, shown_receipt)


@pytest.mark.parametrize(
    ("scope", "kind", "words"),
    [
        (OneSession(session=SessionId("s")), {"kind": "session", "session": "s"}, "the session s"),
        (
            OfSessions(sessions=frozenset({SessionId("s"), SessionId("t")})),
            {"kind": "sessions", "sessions": 2},
            "2 sessions, named one by one",
        ),
        (
            OfSubject(subject=JOHN, dialect=DialectName("rsa"), keep=SessionId("s")),
            {"kind": "subject", "subject": "u-john", "dialect": "rsa", "keep": "s"},
            "every session of the account u-john begun at rsa, but for the session s",
        ),
        (
            OfDialect(dialect=DialectName("rsa")),
            {"kind": "dialect", "dialect": "rsa"},
            "every session begun at rsa",
        ),
        (OfTenant(), {"kind": "tenant"}, "every session of everybody"),
    ],
)
async def test_every_scope_in_words(scope: Scope, kind: dict[str, Any], words: str) -> None:
    assert in_words(scope) == words
    world = await make_world()
    done = await logout(world.env, BOSS, OfTenant())
    view = await receipt(world.env, BOSS, done.receipt.revocation.id)
    rule = replace(view.receipt.revocation, scope=scope)
    found = shown_receipt(replace(view, receipt=replace(view.receipt, revocation=rule)))
    assert found["scope"] == kind
    msgspec.convert(found, proof_shapes.ReceiptView)


async def test_waiting_ends_with_the_receipt_or_with_the_time() -> None:
    world = await make_world()
    ref = await out_of(world, application("crm"))

    async def wait(within: int) -> bool:
        view = await finished_receipt(
            world.env, BOSS, ref, Duration(within), after="", limit=1, every=QUICK
        )
        return view.finished

    assert not await wait(0)
    assert not await wait(5)
    waiting = asyncio.create_task(wait(60_000))
    await asyncio.sleep(0.01)
    await settle_all(world, ref, DeliveryState.ACKNOWLEDGED)
    assert await asyncio.wait_for(waiting, 60)


async def test_watching_sees_every_change_and_ends() -> None:
    world = await make_world()
    ref = await out_of(world, application("crm"))
    seen: list[str] = []
    async for view in watch(world.env, BOSS, ref, limit=10, every=QUICK):
        if view is None:
            await settle_all(world, ref, DeliveryState.VERIFIED)
        else:
            seen.append(shown_receipt(view)["verdict"])
    assert seen[0] == "out here; left elsewhere: 1 queued"
    assert seen[-1].startswith("everyone out")
    assert watching.EVERY <= 500


async def test_a_watcher_whose_session_ends_sees_no_more() -> None:
    world = await make_world()
    admin = (await begin(world, "admin")).caller
    ref = await out_of(world, application("crm"))
    views = watch(world.env, admin, ref, limit=10, every=QUICK)
    assert await anext(views)
    await logout(world.env, BOSS, OfSubject(subject=admin.subject))
    with pytest.raises(NotAuthenticated):
        await anext(views)


async def test_an_asker_without_an_account_reads_nobodys_receipts() -> None:
    """Receipts of the operator have nobody in `by`, which is not who a service is either."""
    world = await make_world()
    ref = await out_of(world)
    nobody = replace(BOSS, role=(await begin(world, "monitor")).caller.role)
    with pytest.raises(NotFound):
        await receipt(world.env, nobody, ref)


# --- status ---


async def seen(world: World, caller: Caller = BOSS, ref: SubjectId = JOHN) -> dict[str, Any]:
    found = shown_status(await status(world.env, caller, ref))
    msgspec.convert(found, proof_shapes.Status)
    return found


async def test_somebody_who_was_never_in_is_out() -> None:
    world = await make_world()
    found = await seen(world)
    assert found["out"]
    assert "since" not in found


async def test_in_then_out_then_what_is_left() -> None:
    world = await make_world()
    await begin(world, "john")
    found = await seen(world)
    assert (found["out"], found["sessions"]) == (False, 1)
    assert found["last_token_until"] == "2016-04-08T10:27:20.683Z"
    ref = await out_of(world, application("crm"), application("old", connector=""))
    found = await seen(world)
    assert (found["out"], found["sessions"], len(found["left"])) == (False, 0, 2)
    assert {one["name"] for one in found["left"]} == {"crm", "old"}
    assert found["last_token_until"] == "2016-04-07T11:27:20.683Z"
    world.clock.advance(60_000)
    (told,) = await owed(world, ref, "crm")
    await settle(world, told, DeliveryState.ACKNOWLEDGED)
    found = await seen(world)
    assert [one["name"] for one in found["left"]] == ["old"]
    world.clock.advance(HOUR)
    found = await seen(world)
    assert (found["out"], found["left"]) == (True, [])
    assert found["since"] == "2016-04-07T11:27:20.683Z"


async def test_live_sessions_count_with_what_their_applications_may_go_on() -> None:
    world = await make_world()
    crm = application("crm")
    async with world.env.store.transaction(TENANT) as tx:
        await tx.put_client(crm)
    session = (await begin(world, "john")).session.id
    async with world.env.store.transaction(TENANT) as tx:
        await tx.join(session, Participant(client=crm.id, sid="", account=""))
        await tx.join(session, Participant(client=ClientId("c_gone"), sid="", account=""))
    assert (await seen(world))["last_token_until"] == "2016-04-08T11:27:20.683Z"


async def test_a_session_past_its_deadline_is_not_in() -> None:
    world = await make_world()
    await begin(world, "john")
    world.clock.advance(2 * HOUR)
    found = await seen(world)
    assert found["out"]
    assert found["since"] == "2016-04-07T11:27:20.683Z"


async def test_a_later_notice_makes_up_for_an_earlier_one() -> None:
    world = await make_world()
    crm = application("crm")
    first = await out_of(world, crm)
    await settle_all(world, first, DeliveryState.UNREACHABLE)
    assert not (await seen(world))["out"]
    world.clock.advance(1_000)
    second = await out_of(world, crm)
    await settle_all(world, second, DeliveryState.ACKNOWLEDGED)
    assert (await seen(world))["out"]


async def test_a_later_notice_about_one_session_makes_up_for_nothing() -> None:
    world = await make_world()
    crm = application("crm")
    await settle_all(world, await out_of(world, crm), DeliveryState.UNREACHABLE)
    world.clock.advance(1_000)
    second = await out_of(world, crm)
    (one,) = await owed(world, second)
    async with world.env.store.transaction(TENANT) as tx:
        await tx.put_delivery(replace(one, sid="crm-session"))
    await settle_all(world, second, DeliveryState.ACKNOWLEDGED)
    assert not (await seen(world))["out"]


async def test_tokens_that_outlive_the_notice_are_left() -> None:
    world = await make_world()
    ref = await out_of(world, application("api", can=Ability.NEW_TOKENS))
    await settle_all(world, ref, DeliveryState.ACKNOWLEDGED)
    assert not (await seen(world))["out"]
    await settle_all(world, ref, DeliveryState.VERIFIED)
    assert (await seen(world))["out"]


async def test_a_deleted_account_keeps_its_status_until_it_is_forgotten() -> None:
    world = await make_world()
    await out_of(world, application("crm"))
    async with world.env.store.transaction(TENANT) as tx:
        await tx.remove_subject(JOHN)
        await tx.remove_client(ClientId("c_crm"))
    found = await seen(world)
    assert (found["username"], found["out"]) == ("", False)
    assert "name" not in found["left"][0]


async def test_whose_status_one_may_see() -> None:
    world = await make_world()
    monitor = (await begin(world, "monitor")).caller
    engineer = (await begin(world, "engineer")).caller
    assert (await seen(world, monitor, monitor.subject))["sessions"] == 1
    assert (await seen(world, engineer))["out"]
    for caller, ref in ((monitor, "u-john"), (monitor, "u-x"), (engineer, "u-stranger")):
        with pytest.raises(NotFound):
            await status(world.env, caller, SubjectId(ref))


@pytest.mark.slow
async def test_many_sessions_and_deliveries_are_all_looked_at() -> None:
    world = await make_world(policy=Policy(sessions_per_subject=0))
    clients = [application(f"a{number:03d}") for number in range(501)]
    await out_of(world, *clients)
    for _ in range(501):
        await begin(world, "john")
    found = await status(world.env, BOSS, JOHN)
    assert (len(found.live), len(found.left)) == (501, 501)


async def test_the_audit_log_is_for_those_who_may() -> None:
    world = await make_world()
    monitor = (await begin(world, "monitor")).caller
    admin = (await begin(world, "admin")).caller
    assert (await audit_head(world.env, admin)).seq == 2
    assert len(await audit_links(world.env, admin, 0, 1)) == 1
    with pytest.raises(Denied):
        await audit_head(world.env, monitor)
    with pytest.raises(Denied):
        await audit_links(world.env, monitor, 0, 1)
