"""Rank by rank, way by way: who may end whom, asserted in full on every wire that can."""

from dataclasses import replace
from itertools import product

import pytest

from lastcall.domain.access import ROLES
from lastcall.domain.audit import Outcome
from lastcall.domain.types import SubjectId
from tests.access.driving import Wire, alive, audited, make_crowd, named, peer
from tests.access.endings import ENDINGS, Ending, Target
from tests.access.wires import WIRES
from tests.world import OTHER, TENANT, World

RANKS = tuple(ROLES)
WAYS = pytest.mark.parametrize("way", ENDINGS, ids=lambda way: way.name)


def may(way: Ending, caller: str, target: str) -> bool:
    """The rule, said a second time: the permission, and a rank that is equal or greater."""
    mine, theirs = ROLES[caller], ROLES[target]
    return way.needs in mine.permissions and mine.rank >= theirs.rank


async def last_outcome(world: World) -> Outcome:
    async with world.env.store.transaction(TENANT) as tx:
        return (await tx.records(0, 10_000))[-1].event.outcome


@WAYS
@pytest.mark.parametrize(("caller", "target"), list(product(RANKS, RANKS)))
async def test_another(way: Ending, caller: str, target: str) -> None:
    world = await make_crowd()
    by = await way.wire.enter(world, peer(f"{caller}-a"))
    held = await way.wire.enter(world, peer(f"{target}-b"))
    before = await audited(world)
    answer = await way.run(world, by, Target.of(held))
    allowed = may(way, caller, target)
    assert answer.granted is allowed, answer
    assert await alive(world, held) is not allowed
    assert await alive(world, by)
    assert await audited(world) > before
    assert await last_outcome(world) is (Outcome.DONE if allowed else Outcome.REFUSED)


@WAYS
@pytest.mark.parametrize("caller", RANKS)
async def test_oneself(way: Ending, caller: str) -> None:
    """Whoever is logged in may end their own, whatever their rank, unless the call is gated."""
    world = await make_crowd()
    by = await way.wire.enter(world, peer(f"{caller}-a"))
    answer = await way.run(world, by, Target.of(by))
    allowed = not way.gated or way.needs in ROLES[caller].permissions
    assert answer.granted is allowed, answer
    assert await alive(world, by) is not allowed


async def refused_view(way: Ending, caller: str, whom: str) -> str:
    """In a world of its own: what a call about somebody who is out of reach is answered with."""
    world = await make_crowd()
    by = await way.wire.enter(world, peer(f"{caller}-a"))
    held = await way.wire.enter(world, peer("admin-b" if whom == "unknown" else whom))
    target = Target.of(held)
    if whom == "unknown":
        nobody = replace(held.who, id=SubjectId("u-nobody"), username="nobody")
        target = Target(who=nobody, session="N" * len(held.session), token="0" * len(held.token))
    before = await audited(world, OTHER)
    answer = await way.run(world, by, target)
    assert await alive(world, held)
    assert await audited(world, OTHER) == before
    assert answer.refused is not None
    seen = repr(answer.seen)
    for text in (target.who.id, target.session, target.token, target.who.username):
        seen = seen.replace(text, "*")  # what the answer repeats of the question
    return seen


@WAYS
@pytest.mark.parametrize(("caller", "target"), list(product(RANKS, RANKS)))
async def test_another_tenants(way: Ending, caller: str, target: str) -> None:
    """Out of reach for all, and told from what does not exist by nothing."""
    foreign = await refused_view(way, caller, f"{target}-far")
    assert foreign == await refused_view(way, caller, "unknown")


@WAYS
@pytest.mark.parametrize("caller", ["engineer", "monitor"])
async def test_whoever_stands_higher_looks_like_nobody(way: Ending, caller: str) -> None:
    """Unknown, foreign and forbidden answer alike to whoever can be out-ranked."""
    assert await refused_view(way, caller, "admin-b") == await refused_view(way, caller, "unknown")


@pytest.mark.parametrize("wire", WIRES, ids=named)
async def test_another_tenants_token_is_nobodys_here(wire: Wire) -> None:
    """A tenant's host knows its own people alone; elsewhere the same token is good."""
    world = await make_crowd()
    held = await wire.enter(world, peer("admin-far"))
    shown = held.shown
    here = replace(held.who, tenant=TENANT)
    assert not (await wire.send(world, wire.check(shown, here), TENANT)).granted
    await wire.send(world, wire.logout(shown, here), TENANT)
    assert (await wire.ask_who(world, held)).granted
