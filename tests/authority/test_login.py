"""Logging in: credentials, lock-outs, second factors, caps, and what overtakes a login."""

import asyncio
from dataclasses import replace
from ipaddress import ip_address

import pytest

from lastcall.authority.credentials import prove
from lastcall.authority.guesses import give_back
from lastcall.authority.login import Start, login
from lastcall.authority.logout import logout
from lastcall.authority.subjects import change_subject
from lastcall.domain.access import operator
from lastcall.domain.attempts import Limit, Strikes
from lastcall.domain.errors import (
    BadCredentials,
    Busy,
    Conflict,
    LockedOut,
    SecondFactorExhausted,
    SecondFactorInvalid,
    SecondFactorRequired,
    Superseded,
)
from lastcall.domain.factor import Method
from lastcall.domain.logout import OfSubject, OfTenant, Scope
from lastcall.domain.policy import Policy, WhenFull
from lastcall.domain.subject import Subject
from lastcall.domain.token import digest_password
from lastcall.domain.types import MINUTE, Duration, Instant, Kind, SubjectId
from tests.authority.acts import (
    LIFETIME,
    PASSWORDS,
    alive,
    audit,
    begin,
    caller_with,
    credentials,
    last_event,
    mint,
    origin,
)
from tests.fakes import FakePasswords
from tests.world import OTHER, TENANT, make_world

START = Start(kind=Kind.API, lifetime=LIFETIME, mint=mint)
TIGHT = Policy(
    subject_lockout=Limit(tries=3, window=MINUTE, lockout=MINUTE),
    address_lockout=Limit(tries=5, window=MINUTE, lockout=MINUTE),
)


async def test_a_session_remembers_where_it_came_from() -> None:
    world = await make_world()
    begun = await begin(world, "john", address="10.1.2.3")
    session = begun.session
    assert (session.address, session.port, session.device.name) == ("10.1.2.3", 4711, "curl")
    assert session.created == session.last_seen == world.clock.now()
    assert [factor.method for factor in session.factors] == [Method.PASSWORD]
    assert begun.token not in repr(session)
    assert await alive(world, begun)
    assert await last_event(world) == ("login", "done", "")


async def test_the_digest_of_the_password_does_as_well() -> None:
    world = await make_world()
    digest = digest_password(PASSWORDS["john"]).upper()
    assert await alive(world, await begin(world, "john", password="", digest=digest))


async def test_a_name_with_an_at_sign_may_be_an_email_address() -> None:
    world = await make_world()
    begun = await begin(world, "John@Domain.com", password=PASSWORDS["john"], with_email=True)
    assert begun.subject.username == "john"
    with pytest.raises(BadCredentials):
        await begin(world, "john@domain.com", password=PASSWORDS["john"])


@pytest.mark.parametrize("name", ["nobody", "gone", "john", "JOHN", "", "stranger"])
async def test_every_wrong_credential_gets_the_same_refusal(name: str) -> None:
    """Unknown, disabled, wrong, another tenant's: nothing tells them apart."""
    world = await make_world()
    password = "wrong" if name == "john" else PASSWORDS.get(name, "x")
    with pytest.raises(BadCredentials) as refusal:
        await begin(world, name, password=password)
    assert refusal.value.attempts_left == 9
    assert await last_event(world) == ("login", "refused", "bad-credentials")


async def test_after_too_many_failures_even_the_right_password_waits() -> None:
    world = await make_world(policy=TIGHT)
    for left in (2, 1, 0):
        with pytest.raises(BadCredentials) as refusal:
            await begin(world, "john", password="wrong")
        assert refusal.value.attempts_left == left
    with pytest.raises(LockedOut) as locked:
        await begin(world, "john")
    assert (locked.value.by, locked.value.retry_after) == ("subject", MINUTE)
    assert await last_event(world) == ("login", "refused", "locked-out")
    world.clock.advance(MINUTE)
    assert await alive(world, await begin(world, "john"))


async def test_names_that_do_not_exist_lock_just_the_same() -> None:
    world = await make_world(policy=TIGHT)
    for _ in range(3):
        with pytest.raises(BadCredentials):
            await begin(world, "nobody")
    with pytest.raises(LockedOut):
        await begin(world, "nobody")


async def test_a_right_password_forgets_the_failures() -> None:
    world = await make_world(policy=TIGHT)
    for number in range(3):
        for _ in range(2):
            with pytest.raises(BadCredentials):
                await begin(world, "john", password="wrong", address=f"10.9.9.{number}")
        await begin(world, "john")


async def test_an_address_that_guesses_at_many_names_is_locked_and_locks_nobody_else() -> None:
    world = await make_world(policy=TIGHT)
    for name in ("a", "b", "c", "d", "e"):
        with pytest.raises(BadCredentials):
            await begin(world, name)
    for _ in range(4):
        with pytest.raises(LockedOut) as locked:
            await begin(world, "john")
    assert locked.value.by == "address"
    assert await alive(world, await begin(world, "john", address="10.0.0.2"))


async def test_one_ipv6_network_counts_as_one_address() -> None:
    world = await make_world(policy=TIGHT)
    for host in range(5):
        with pytest.raises(BadCredentials):
            await begin(world, f"n{host}", address=f"2001:db8:1:2:{host}::1")
    with pytest.raises(LockedOut):
        await begin(world, "john", address="2001:db8:1:2:ffff::9")
    await begin(world, "john", address="2001:db8:1:3::9")


@pytest.mark.parametrize("hosts", [("::a:b:c:{}", "::{}:1:2"), ("::{}", ":0:0:{}::")])
async def test_an_ipv6_network_is_one_however_its_addresses_are_shortened(
    hosts: tuple[str, str],
) -> None:
    world = await make_world(policy=TIGHT)
    for number in range(5):
        host = hosts[number % 2].format(number + 1)
        with pytest.raises(BadCredentials):
            await begin(world, f"n{number}", address=str(ip_address(f"2001:db8{host}")))
    with pytest.raises(LockedOut):
        await begin(world, "john", address="2001:db8::ffff:1")


async def test_a_flood_at_a_lock_does_not_fill_the_record() -> None:
    world = await make_world(policy=TIGHT)
    for again in (1, 2):
        for _ in range(3):
            with pytest.raises(BadCredentials):
                await begin(world, "john", password="wrong", address=f"10.7.0.{again}")
        for number in range(40):
            with pytest.raises(LockedOut):
                await begin(world, "john", address=f"10.8.0.{number}")
        refused = [one.event.code for one in await audit(world)]
        assert refused.count("locked-out") == again
        world.clock.advance(MINUTE)


async def test_parallel_guesses_do_not_share_a_count() -> None:
    world = await make_world(
        policy=replace(TIGHT, address_lockout=Limit(tries=0, window=MINUTE, lockout=MINUTE))
    )
    results = await asyncio.gather(
        *(begin(world, "john", password=f"guess-{number}") for number in range(50)),
        return_exceptions=True,
    )
    assert sum(isinstance(result, BadCredentials) for result in results) == 3
    assert sum(isinstance(result, LockedOut) for result in results) == 47


class FullPasswords(FakePasswords):
    async def verify(self, encoded: str, digest: str) -> bool:
        raise Busy("full")


async def test_a_login_shed_under_load_is_no_guess() -> None:
    world = await make_world(policy=TIGHT)
    world.env = replace(world.env, passwords=FullPasswords())
    for _ in range(5):
        with pytest.raises(Busy):
            await begin(world, "john")
    world.env = replace(world.env, passwords=FakePasswords())
    assert await alive(world, await begin(world, "john"))


async def test_a_wire_without_codes_cannot_be_used_around_the_second_factor() -> None:
    world = await make_world()
    with pytest.raises(BadCredentials):
        await begin(world, "tess")
    with pytest.raises(BadCredentials):
        await begin(world, "emil")


async def test_totp_is_asked_for_and_each_step_counts_once() -> None:
    world = await make_world()
    with pytest.raises(SecondFactorRequired) as due:
        await begin(world, "tess", takes_code=True)
    assert (due.value.method, due.value.available) == ("totp", ("totp",))
    step = world.clock.wall() // 30_000
    code = world.totp.code("JBSWY3DPEHPK3PXP", step)
    with pytest.raises(SecondFactorInvalid):
        await begin(world, "tess", takes_code=True, code="000000")
    begun = await begin(world, "tess", takes_code=True, code=f" {code[:3]} {code[3:]}")
    assert [factor.method for factor in begun.session.factors] == ["password", "totp"]
    with pytest.raises(SecondFactorInvalid):
        await begin(world, "tess", takes_code=True, code=code)


async def test_a_backup_code_counts_once() -> None:
    world = await make_world()
    begun = await begin(world, "tess", takes_code=True, code="backup01")
    assert begun.session.factors[-1].method is Method.BACKUP_CODE
    with pytest.raises(SecondFactorInvalid):
        await begin(world, "tess", takes_code=True, code="backup01")


async def test_two_hundred_uses_of_one_code_give_one_session() -> None:
    world = await make_world(
        policy=Policy(factor_lockout=Limit(tries=0, window=MINUTE, lockout=MINUTE))
    )
    code = world.totp.code("JBSWY3DPEHPK3PXP", world.clock.wall() // 30_000)
    results = await asyncio.gather(
        *(begin(world, "tess", takes_code=True, code=code) for _ in range(200)),
        return_exceptions=True,
    )
    assert sum(not isinstance(result, BaseException) for result in results) == 1


async def test_guesses_at_codes_are_counted_across_methods_and_addresses() -> None:
    world = await make_world()
    for number in range(5):
        with pytest.raises(SecondFactorInvalid):
            await begin(
                world,
                "tess",
                takes_code=True,
                code="12345678"[: 6 + number % 3],
                address=f"10.0.1.{number}",
            )
    code = world.totp.code("JBSWY3DPEHPK3PXP", world.clock.wall() // 30_000)
    with pytest.raises(SecondFactorExhausted):
        await begin(world, "tess", takes_code=True, code=code)
    world.clock.advance(5 * MINUTE)
    code = world.totp.code("JBSWY3DPEHPK3PXP", world.clock.wall() // 30_000)
    assert await alive(world, await begin(world, "tess", takes_code=True, code=code))


async def test_an_emailed_code_is_sent_once_and_used_once() -> None:
    world = await make_world()
    with pytest.raises(SecondFactorRequired) as first:
        await begin(world, "emil", takes_code=True)
    assert first.value.sent
    with pytest.raises(SecondFactorRequired) as second:
        await begin(world, "emil", takes_code=True)
    assert not second.value.sent
    assert second.value.code_expires == world.mailer.sent[0][3]
    assert len(world.mailer.sent) == 1
    to, name, code, _expires = world.mailer.sent[0]
    assert (to, name) == ("emil@example.com", "emil")
    begun = await begin(world, "emil", takes_code=True, code=f"{code[:3]}-{code[3:]}")
    assert begun.session.factors[-1].method is Method.EMAIL
    with pytest.raises(SecondFactorInvalid):
        await begin(world, "emil", takes_code=True, code=code)


async def test_an_emailed_code_bears_few_wrong_tries_and_little_time() -> None:
    world = await make_world(policy=Policy(email_code_tries=2))
    with pytest.raises(SecondFactorRequired):
        await begin(world, "emil", takes_code=True)
    for _ in range(2):
        with pytest.raises(SecondFactorInvalid):
            await begin(world, "emil", takes_code=True, code="000000")
    with pytest.raises(SecondFactorInvalid):
        await begin(world, "emil", takes_code=True, code=world.mailer.sent[0][2])
    assert len(world.mailer.sent) == 2, "with no usable code out, a new one is sent"
    world.clock.advance(11 * MINUTE)
    with pytest.raises(SecondFactorInvalid):
        await begin(world, "emil", takes_code=True, code=world.mailer.sent[1][2])


async def test_a_code_for_one_account_is_nothing_to_another() -> None:
    world = await make_world()
    with pytest.raises(SecondFactorRequired):
        await begin(world, "emil", takes_code=True)
    with pytest.raises(SecondFactorInvalid):
        await begin(
            world, "tess", takes_code=True, code=world.mailer.sent[0][2], method=Method.EMAIL
        )


@pytest.mark.parametrize("scope", [OfSubject(subject=SubjectId("u-john")), OfTenant()])
async def test_a_logout_overtakes_a_login_in_flight(scope: Scope) -> None:
    world = await make_world()
    proven = await prove(world.env, TENANT, origin(), credentials("john"))
    await logout(world.env, operator(TENANT, origin()), scope)
    with pytest.raises(Superseded):
        await login(world.env, origin(), proven, START)
    assert await last_event(world) == ("login", "refused", "superseded")
    assert await alive(world, await begin(world, "john"))


@pytest.mark.parametrize(
    "change",
    [{"enabled": False}, {"password_hash": "other"}, {"role": "admin"}, {"totp_secret": "sealed"}],
)
async def test_a_change_of_the_account_overtakes_a_login_in_flight(
    change: dict[str, object],
) -> None:
    world = await make_world()
    proven = await prove(world.env, TENANT, origin(), credentials("john"))

    def changed(before: Subject) -> Subject:
        return replace(before, **change)  # type: ignore[arg-type]  # the table is the test

    await change_subject(world.env, operator(TENANT, origin()), proven.subject.id, changed)
    with pytest.raises(Superseded):
        await login(world.env, origin(), proven, START)


async def test_the_cap_ends_the_oldest_also_under_a_rush() -> None:
    world = await make_world(policy=Policy(sessions_per_subject=3))
    rush = await asyncio.gather(*(begin(world, "john") for _ in range(100)))
    assert sum([await alive(world, one) for one in rush]) == 3
    logins = [record.event for record in await audit(world) if record.event.action == "login"]
    assert sum(bool(event.detail.get("evicted")) for event in logins) == 97


async def test_the_cap_may_refuse_and_expired_sessions_do_not_count() -> None:
    world = await make_world(policy=Policy(sessions_per_subject=1, when_full=WhenFull.REFUSE))
    first = await begin(world, "john")
    with pytest.raises(Conflict):
        await begin(world, "john")
    assert await last_event(world) == ("login", "refused", "conflict")
    assert await alive(world, first)
    world.clock.advance(2 * 60 * MINUTE)
    assert await alive(world, await begin(world, "john"))


async def test_the_same_name_in_two_tenants_is_two_people() -> None:
    world = await make_world()
    here, there = await begin(world, "john"), await begin(world, "john", tenant=OTHER)
    assert here.session.tenant != there.session.tenant
    await logout(world.env, here.caller, OfSubject(subject=here.subject.id))
    assert not await alive(world, here)
    assert await alive(world, there)


async def test_tokens_and_ids_do_not_repeat() -> None:
    world = await make_world(policy=Policy(sessions_per_subject=0))
    many = [await begin(world, "john") for _ in range(200)]
    assert len({one.token for one in many}) == len({one.session.id for one in many}) == 200
    assert {len(one.session.id) for one in many} == {17}
    assert (await caller_with(world, many[7].token)).session == many[7].session
    assert Duration(0) == 0


async def test_taking_back_an_attempt_nobody_counts_any_more_does_nothing() -> None:
    world = await make_world()
    was = Strikes(key="subject:cleared", count=3, since=Instant(5))
    anew = replace(was, count=1, since=Instant(6))
    async with world.env.store.transaction(TENANT) as tx:
        await give_back(tx, was)
        assert await tx.strikes(was.key) is None
        await tx.put_strikes(anew)
        await give_back(tx, was)
        assert await tx.strikes(was.key) == anew
