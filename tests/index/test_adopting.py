"""Sessions adopted from rows, many at once, are in the index as if each had been placed alone."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lastcall.domain.factor import Factor, Method
from lastcall.domain.session import Device, End, Participant, Session
from lastcall.domain.subject import Subject
from lastcall.domain.types import (
    ClientId,
    DialectName,
    Duration,
    EndReason,
    Instant,
    Kind,
    Serial,
    SessionId,
    SubjectId,
    TenantId,
    TokenHash,
)
from lastcall.index import Adoption, Index
from lastcall.rows import Row, session_row
from tests.contract.snapshot import EVER, snapshot

BEGAN = 1_795_000_000_000
PEOPLE = tuple(SubjectId(name) for name in ("ann", "bob", "nobody any more"))
AGENTS = {7: ("login", "one", Device(name="Firefox")), 9: ("api", "two", Device())}
INSTANT = st.integers(BEGAN - 60_000, BEGAN + 60_000).map(Instant)
FACTORS = st.builds(
    Factor, method=st.sampled_from(Method), at=INSTANT, context=st.sampled_from(["", "", "chosen"])
)
LOGINS = st.builds(
    Session,
    id=st.just(SessionId("")),
    tenant=st.sampled_from([TenantId("one"), TenantId("one"), TenantId("two")]),
    subject=st.sampled_from([*PEOPLE, *[PEOPLE[0]] * 5]),
    token_hash=st.just(TokenHash(b"")),
    serial=st.just(Serial(0)),
    dialect=st.sampled_from([DialectName("native"), DialectName("soajs")]),
    kind=st.sampled_from(Kind),
    address=st.sampled_from(["192.0.2.1", "192.0.2.255", "2001:db8::1", "", "here\0"]),
    port=st.integers(0, 65_535),
    host=st.just(""),
    user_agent=st.just(""),
    device=st.just(Device()),
    factors=st.lists(FACTORS, max_size=3).map(tuple),
    created=INSTANT,
    last_seen=INSTANT,
    idle=st.none() | st.integers(1, 90_000).map(Duration),
    expires=INSTANT,
    token_expires=st.none() | INSTANT,
    participants=st.sampled_from(
        [(), (), (Participant(client=ClientId("c"), sid="1", account=""),)]
    ),
    impersonator=st.sampled_from([None, None, PEOPLE[1]]),
    ended=st.none() | st.builds(End, at=INSTANT, why=st.sampled_from(EndReason)),
)


def numbered(number: int, login: Session, refreshed: int) -> tuple[Session, int]:
    """A session like no other, and the number of its agent."""
    agent = 7 if number % 3 else 9
    host, user_agent, device = AGENTS[agent]
    hashes = [TokenHash(bytes([number, one]) * 16) for one in range(1 + refreshed)]
    own = replace(
        login,
        id=SessionId(f"s{number}"),
        serial=Serial(number + 1),
        token_hash=hashes[0],
        refresh_hash=hashes[1] if refreshed else None,
        spent=tuple(hashes[2:]),
        host=host,
        user_agent=user_agent,
        device=device,
    )
    return own, agent


CROWDS = st.lists(st.tuples(LOGINS, st.sampled_from([0, 0, 1, 3])), min_size=1, max_size=80).map(
    lambda some: sorted(
        (numbered(number, *one) for number, one in enumerate(some)), key=lambda one: one[0].tenant
    )
)


def people() -> Index:
    index = Index()
    for tenant in (TenantId("one"), TenantId("two")):
        for name in PEOPLE[:2]:
            index.place(tenant, None, somebody(tenant, name))
    return index


def somebody(tenant: TenantId, name: SubjectId) -> Subject:
    return Subject(
        id=name,
        tenant=tenant,
        username=name,
        password_hash="",
        role="monitor",
        version=Serial(0),
        created=Instant(BEGAN),
        changed=Instant(BEGAN),
    )


def adopted(rows: Sequence[Row], together: int) -> Index:
    index = people()
    adoption = Adoption(index, AGENTS)
    for first in range(0, len(rows), together):
        adoption.add(rows[first : first + together])
    return index


def row(session: Session, agent: int) -> Row:
    return (*session_row(session), agent)


def known(index: Index) -> dict[str, Any]:
    """With what the snapshot leaves out: who is looked at when, who sits where."""
    return {
        **snapshot(index),
        "stop": [index.past_deadline(Instant(BEGAN + at), 1_000) for at in (-30_000, 30_000)],
        "of": {
            (tenant, name): shelf.of_subject(name)
            for tenant, shelf in index.shelves.items()
            for name in PEOPLE
        },
        "under": {
            (tenant, name): [held.session for held in shelf.held_under(name)]
            for tenant, shelf in index.shelves.items()
            for name in PEOPLE
        },
        "graves": {
            tenant: {held.id for held in shelf.graves.take(EVER, 1_000, lambda _: 0)}
            for tenant, shelf in index.shelves.items()
        },
    }


@settings(max_examples=60)
@given(CROWDS, st.sampled_from([1, 7, 100]))
def test_they_are_as_if_each_had_been_placed(
    crowd: list[tuple[Session, int]], together: int
) -> None:
    placed = people()
    for session, _ in crowd:
        placed.place(session.tenant, None, session)
    assert known(adopted([row(*one) for one in crowd], together)) == known(placed)


def a_login(number: int) -> tuple[Session, int]:
    return numbered(
        number,
        Session(
            id=SessionId(""),
            tenant=TenantId("one"),
            subject=PEOPLE[0],
            token_hash=TokenHash(b""),
            serial=Serial(0),
            dialect=DialectName("native"),
            kind=Kind.API,
            address="192.0.2.7",
            port=40_000,
            host="",
            user_agent="",
            device=Device(),
            factors=(Factor(method=Method.PASSWORD, at=Instant(BEGAN - 50)),),
            created=Instant(BEGAN),
            last_seen=Instant(BEGAN),
            idle=Duration(3_600_000),
            expires=Instant(BEGAN + 86_400_000),
        ),
        0,
    )


def test_what_is_usual_is_packed_as_closely_as_what_began_here() -> None:
    crowd = [a_login(number) for number in range(3)]
    read = [[*row(*one)] for one in crowd]
    for one in read:
        one[3] = "".join(list(one[3]))  # as a database gives it: equal, not the same
    index = adopted(read, 3)
    held = [index.tokens[session.token_hash] for session, _ in crowd]
    assert all(isinstance(one.own, bytes) and len(one.own) <= 31 for one in held)
    assert held[1].profile is held[2].profile, "what they share is kept once"
    assert held[0].profile is not held[1].profile, "its agent is another"
    assert {id(one.subject) for one in held} == {id(PEOPLE[0])}


def test_one_that_comes_late_finds_its_place() -> None:
    """As from another node, whose commit was later than one of a higher number."""
    first, late, last = (a_login(number) for number in range(3))
    index = adopted([row(*first), row(*last)], 2)
    index.place(late[0].tenant, None, late[0])
    order = [session.serial for session in index.shelf(TenantId("one")).newest_first()]
    assert order == [3, 2, 1]


@pytest.mark.parametrize(
    ("column", "damage"),
    [
        (9, '[{"method":"charm","at":1}]'),
        (9, '[{"method":"password"'),
        (9, "null"),
        (6, "toaster"),
        (20, "boredom"),
    ],
)
def test_a_damaged_row_is_an_error_wherever_it_stands(column: int, damage: str) -> None:
    """Bound to be seen: `lastcall backup verify` reads a copy as a server would."""
    rows = [row(*a_login(number)) for number in range(3)]
    spoilt = [*rows[1][:19], BEGAN, EndReason.LOGOUT, None, 7]
    spoilt[column] = damage
    with pytest.raises((ValueError, msgspec.MsgspecError)):
        adopted([rows[0], spoilt, rows[2]], 3)


def test_texts_that_make_more_or_fewer_of_one_another_are_an_error() -> None:
    rows = [list(row(*a_login(number))) for number in range(3)]
    rows[0][9], rows[1][9] = '[{"method":"password","at":1}', '{"method":"email","at":1}]'
    with pytest.raises(ValueError, match="argument"):
        adopted(rows, 3)
    rows[0][9], rows[1][9] = "[],[]", "[]"
    with pytest.raises(ValueError, match="argument"):
        adopted(rows, 3)


def test_numbers_too_far_apart_to_be_packed_are_kept() -> None:
    """No clock tells such times, but a database can hold them."""
    login, agent = a_login(0)
    proven = Factor(method=Method.PASSWORD, at=Instant(2**63 - 1))
    odd = replace(login, created=Instant(-(2**63)), factors=(proven,))
    index = adopted([row(odd, agent)], 1)
    assert index.tokens[odd.token_hash].session == odd
