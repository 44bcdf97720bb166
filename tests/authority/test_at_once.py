"""Checking at once: only ever a yes, and never one that has become a no."""

from dataclasses import replace

from lastcall.authority.at_once import MOST_STANDING, at_once, refused_at_once
from lastcall.authority.logout import logout
from lastcall.domain.logout import OneSession
from lastcall.domain.session import End, Lifetime
from lastcall.domain.types import (
    HOUR,
    MINUTE,
    SECOND,
    Duration,
    EndReason,
    Instant,
    SubjectId,
    TenantId,
)
from lastcall.ports import Found
from tests.authority.acts import begin, caller_with
from tests.world import OTHER, TENANT, World, make_world

HERE = frozenset({TENANT})


class Asked:
    """How to ask one world at once, and how often it had to look."""

    def __init__(
        self, world: World, tenants: frozenset[TenantId] = HERE, room: int = MOST_STANDING
    ) -> None:
        self.looks = 0
        self._check = at_once(world.env, tenants, self._said, room=room)

    def _said(self, found: Found) -> bytes:
        self.looks += 1
        return f"{found.session.id} {found.subject.username}".encode()

    def __call__(self, token: str) -> str | None:
        said = self._check(token.encode())
        return None if said is None else said.decode()


async def test_what_is_good_is_said_again_without_looking() -> None:
    world = await make_world()
    begun, asked = await begin(world, "john"), Asked(world)
    for _ in range(3):
        assert asked(begun.token) == f"{begun.session.id} john"
    assert asked.looks == 1


async def test_a_yes_stands_until_something_changes_or_the_session_lapses() -> None:
    world = await make_world()
    lifetime = Lifetime(idle=Duration(10 * MINUTE), absolute=HOUR)
    begun, other = await begin(world, "john", lifetime=lifetime), await begin(world, "monitor")
    asked = Asked(world)
    assert asked(begun.token)
    world.clock.advance(10 * MINUTE - 1)
    assert asked(begun.token)
    assert asked.looks == 1
    world.clock.advance(1)
    assert asked(begun.token), "it was used a millisecond ago"
    assert asked.looks == 2, "but that had to be looked up"
    assert asked(other.token)
    await logout(world.env, other.caller, OneSession(session=other.session.id))
    assert asked(other.token) is None
    assert asked(begun.token)
    assert asked.looks == 4, "something has changed, for all it knows"
    world.clock.advance(10 * MINUTE)
    assert asked(begun.token) is None


async def test_a_renamed_account_is_said_by_its_new_name() -> None:
    world = await make_world()
    begun, asked = await begin(world, "john"), Asked(world)
    assert asked(begun.token) == f"{begun.session.id} john"
    async with world.env.store.transaction(TENANT) as tx:
        account = await tx.subject(SubjectId("u-john"))
        assert account is not None
        await tx.change_subject(replace(account, username="jean"))
    assert asked(begun.token) == f"{begun.session.id} jean"


async def test_what_needs_waiting_or_words_is_left_to_others() -> None:
    world = await make_world()
    begun, asked = await begin(world, "john"), Asked(world)
    assert asked("nonsense") is None
    assert Asked(world, frozenset({OTHER}))(begun.token) is None
    async with world.env.store.transaction(TENANT):
        assert asked(begun.token) is None
    assert asked(begun.token)
    async with world.env.store.transaction(TENANT) as tx:
        assert asked(begun.token), "nothing has changed so far"
        await tx.end_session(begun.session.id, End(at=Instant(0), why=EndReason.LOGOUT))
        assert asked(begun.token) is None
    assert asked(begun.token) is None


async def test_refused_at_once_is_what_is_known_and_does_not_count() -> None:
    world = await make_world()
    begun, refused = await begin(world, "john"), refused_at_once(world.env, HERE)
    token = begun.token.encode()
    assert refused(b"nonsense") is None
    assert refused(token) is None
    elsewhere = refused_at_once(world.env, frozenset({OTHER}))(token)
    assert elsewhere is not None
    assert elsewhere.session.id == begun.session.id
    async with world.env.store.transaction(TENANT) as tx:
        await tx.end_session(begun.session.id, End(at=Instant(0), why=EndReason.LOGOUT))
        assert refused(token) is None, "it may yet be undone"
    found = refused(token)
    assert found is not None
    assert found.session.ended is not None


async def test_any_of_several_tenants_will_do() -> None:
    world = await make_world()
    begun = await begin(world, "stranger", tenant=OTHER)
    assert Asked(world)(begun.token) is None
    assert Asked(world, frozenset({TENANT, OTHER}))(begun.token)


async def test_not_more_is_remembered_than_there_is_room_for() -> None:
    world = await make_world()
    tokens = [(await begin(world, name)).token for name in ("john", "monitor", "owner")]
    asked = Asked(world, room=2)
    for token in (*tokens[:2], *tokens[:2]):
        assert asked(token)
    assert asked.looks == 2
    for token in (tokens[2], tokens[0], tokens[2]):
        assert asked(token)
    assert asked.looks == 4


async def test_uses_close_to_each_other_are_one() -> None:
    world = await make_world()
    begun, asked = await begin(world, "john"), Asked(world)
    start = begun.session.last_seen

    async def last_seen() -> int:
        found = await world.env.store.find(begun.session.token_hash)
        assert found is not None
        return found.session.last_seen - start

    world.clock.advance(SECOND - 1)
    assert asked(begun.token)
    await caller_with(world, begun.token)
    assert await last_seen() == 0
    world.clock.advance(1)
    assert asked(begun.token)
    assert await last_seen() == SECOND
    world.clock.advance(SECOND)
    await caller_with(world, begun.token)
    assert await last_seen() == 2 * SECOND
    world.clock.advance(SECOND)
    for _ in range(2):
        assert asked(begun.token)
        assert await last_seen() == 3 * SECOND
