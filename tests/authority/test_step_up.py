"""Stepping up: the right factor, once, in this session, and not the password where better is on."""

from dataclasses import replace

import pytest

from lastcall.authority.codes import LOGIN, code_by_request, spend_code
from lastcall.authority.factors import prove_second
from lastcall.authority.logout import logout
from lastcall.authority.step_up import step_up
from lastcall.domain.access import operator
from lastcall.domain.errors import (
    Busy,
    NotAuthenticated,
    SecondFactorExhausted,
    SecondFactorInvalid,
    SecondFactorRequired,
)
from lastcall.domain.factor import Method
from lastcall.domain.logout import OneSession
from lastcall.domain.subject import Subject
from lastcall.domain.token import digest_password
from lastcall.domain.types import Serial
from lastcall.ports import Entropy
from tests.authority.acts import PASSWORDS, alive, audit, begin, caller_with, last_event, origin
from tests.fakes import FakePasswords
from tests.world import TENANT, World, make_world

DIGEST = digest_password(PASSWORDS["admin"])


def code_of_tess(world: World, later: int = 0) -> str:
    return world.totp.code("JBSWY3DPEHPK3PXP", world.clock.wall() // 30_000 + later)


async def test_an_account_without_a_second_factor_proves_its_password_by_digest() -> None:
    world = await make_world()
    begun = await begin(world, "admin")
    with pytest.raises(SecondFactorRequired) as due:
        await step_up(world.env, begun.caller, None)
    assert (due.value.method, due.value.available) == ("password", ())
    with pytest.raises(SecondFactorInvalid):
        await step_up(world.env, begun.caller, PASSWORDS["admin"])
    assert await last_event(world) == ("step-up", "refused", "second-factor-invalid")
    stepped = await step_up(world.env, begun.caller, DIGEST.upper(), context="here")
    assert stepped.caller.session is not None
    assert [one.context for one in stepped.caller.session.factors] == ["here"]
    assert await alive(world, begun)


async def test_wrong_passwords_run_out() -> None:
    world = await make_world()
    begun = await begin(world, "admin")
    for _ in range(5):
        with pytest.raises(SecondFactorInvalid):
            await step_up(world.env, begun.caller, "0" * 64)
    with pytest.raises(SecondFactorExhausted):
        await step_up(world.env, begun.caller, DIGEST)


async def test_the_password_is_not_accepted_where_a_second_factor_is_on() -> None:
    world = await make_world()
    begun = await begin(world, "tess", takes_code=True, code=code_of_tess(world))
    digest = digest_password(PASSWORDS["tess"])
    with pytest.raises(SecondFactorInvalid) as refusal:
        await step_up(world.env, begun.caller, digest, Method.PASSWORD)
    assert refusal.value.method == "totp"


async def test_a_code_spent_at_login_is_spent_for_stepping_up() -> None:
    world = await make_world()
    code = code_of_tess(world)
    begun = await begin(world, "tess", takes_code=True, code=code)
    with pytest.raises(SecondFactorInvalid):
        await step_up(world.env, begun.caller, code)
    await step_up(world.env, begun.caller, code_of_tess(world, later=1))


async def test_stepping_up_can_replace_the_token() -> None:
    world = await make_world()
    begun = await begin(world, "admin")

    def fresh(entropy: Entropy) -> str:
        return entropy.bytes(32).hex()

    stepped = await step_up(world.env, begun.caller, DIGEST, mint=fresh)
    assert not await alive(world, begun)
    assert (await caller_with(world, stepped.token)).username == "admin"
    with pytest.raises(NotAuthenticated):
        await step_up(world.env, begun.caller, DIGEST)


async def test_an_emailed_code_serves_the_session_it_was_asked_for_in() -> None:
    world = await make_world()
    with pytest.raises(SecondFactorRequired):
        await begin(world, "emil", takes_code=True)
    one = await begin(world, "emil", takes_code=True, code=world.mailer.sent[-1][2])
    await code_by_request(world.env, one.subject, origin())
    two = await begin(world, "emil", takes_code=True, code=world.mailer.sent[-1][2])
    await code_by_request(world.env, one.subject, origin(), one.caller)
    code = world.mailer.sent[-1][2]
    with pytest.raises(SecondFactorInvalid):
        await step_up(world.env, two.caller, code)
    with pytest.raises(SecondFactorInvalid):
        await begin(world, "emil", takes_code=True, code=code)
    await step_up(world.env, one.caller, code)
    with pytest.raises(SecondFactorInvalid):
        await step_up(world.env, one.caller, code)


async def test_a_new_code_replaces_the_old_one() -> None:
    world = await make_world()
    begun = await begin(world, "admin")
    emil = await _subject(world, "emil")
    await code_by_request(world.env, emil, origin())
    await code_by_request(world.env, emil, origin())
    old, new = (sent[2] for sent in world.mailer.sent)
    with pytest.raises(SecondFactorInvalid):
        await begin(world, "emil", takes_code=True, code=old)
    await begin(world, "emil", takes_code=True, code=new)
    assert await alive(world, begun)


async def _subject(world: World, name: str) -> Subject:
    async with world.env.store.transaction(TENANT) as tx:
        found = await tx.subject_named(name)
    assert found is not None
    return found


async def test_a_code_for_nobody_sends_nothing() -> None:
    world = await make_world()
    before = len(await audit(world))
    gone = await _subject(world, "gone")
    for who in (None, gone, replace(gone, enabled=True, email="")):
        await code_by_request(world.env, who, origin())
    assert not world.mailer.sent
    assert len(await audit(world)) == before


async def test_only_a_live_session_can_step_up() -> None:
    world = await make_world()
    begun = await begin(world, "admin")
    with pytest.raises(NotAuthenticated):
        await step_up(world.env, operator(TENANT, origin()), DIGEST)
    with pytest.raises(NotAuthenticated):
        await step_up(world.env, replace(begun.caller, session=None), DIGEST)
    await logout(world.env, begun.caller, OneSession(session=begun.session.id))
    with pytest.raises(NotAuthenticated):
        await step_up(world.env, begun.caller, DIGEST)


async def test_without_a_code_out_there_is_nothing_to_spend() -> None:
    world = await make_world()
    emil = await _subject(world, "emil")
    async with world.env.store.transaction(TENANT) as tx:
        assert not await spend_code(tx, world.env, emil, LOGIN, "123456")


async def test_an_account_that_changes_or_vanishes_meanwhile_proves_nothing() -> None:
    world = await make_world()
    emil = await _subject(world, "emil")
    with pytest.raises(SecondFactorRequired):
        await prove_second(world.env, emil, origin(), None, None)
    code = world.mailer.sent[-1][2]
    with pytest.raises(SecondFactorInvalid):
        await prove_second(world.env, replace(emil, version=Serial(99)), origin(), code, None)
    begun = await begin(world, "admin")
    async with world.env.store.transaction(TENANT) as tx:
        await tx.remove_subject(begun.subject.id)
    with pytest.raises(NotAuthenticated):
        await step_up(world.env, begun.caller, DIGEST)


class FullPasswords(FakePasswords):
    async def verify(self, encoded: str, digest: str) -> bool:
        raise Busy("full")


async def test_a_step_up_shed_under_load_is_no_guess() -> None:
    world = await make_world()
    begun = await begin(world, "admin")
    full = replace(world.env, passwords=FullPasswords())
    for _ in range(6):
        with pytest.raises(Busy):
            await step_up(full, begun.caller, DIGEST)
    await step_up(world.env, begun.caller, DIGEST)
