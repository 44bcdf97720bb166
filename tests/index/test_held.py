"""Packed and made again, a session is the same; few are kept ready, and no last use is lost."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lastcall.domain.factor import Factor, Method
from lastcall.domain.session import Device, End, Participant, Session
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
from lastcall.index.held import Profiles, Ready, hold

TEXT = st.text(st.characters(), max_size=12)
NUMBER = st.integers(-(2**70), 2**70)
HASH = st.binary(min_size=32, max_size=32).map(TokenHash)
ADDRESS = st.one_of(
    st.ip_addresses().map(str),
    st.sampled_from(["", "010.1.1.1", "1.2.3", "256.1.1.1", "::ffff:1.2.3.4", "a\0b"]),
    TEXT,
)
INSTANT = NUMBER.map(Instant)
FACTOR = st.builds(Factor, method=st.sampled_from(Method), at=INSTANT, context=st.just("") | TEXT)
SESSIONS = st.builds(
    Session,
    id=TEXT.map(SessionId),
    tenant=TEXT.map(TenantId),
    subject=TEXT.map(SubjectId),
    token_hash=HASH,
    serial=NUMBER.map(Serial),
    dialect=TEXT.map(DialectName),
    kind=st.sampled_from(Kind),
    address=ADDRESS,
    port=NUMBER,
    host=TEXT,
    user_agent=TEXT,
    device=st.builds(Device, name=TEXT),
    factors=st.lists(FACTOR, max_size=3).map(tuple),
    created=INSTANT,
    last_seen=INSTANT,
    idle=st.none() | NUMBER.map(Duration),
    expires=INSTANT,
    token_expires=st.none() | INSTANT,
    refresh_hash=st.none() | HASH,
    spent=st.lists(HASH, max_size=2).map(tuple),
    participants=st.lists(
        st.builds(Participant, client=TEXT.map(ClientId), sid=TEXT, account=TEXT), max_size=2
    ).map(tuple),
    impersonator=st.none() | TEXT.map(SubjectId),
    ended=st.none() | st.builds(End, at=INSTANT, why=st.sampled_from(EndReason)),
)


@settings(max_examples=40)
@given(SESSIONS)
def test_a_session_comes_back_as_it_was_put(session: Session) -> None:
    held = hold(Profiles(), session, session.subject)
    assert held.passing() == session
    assert (held.serial, held.last_seen) == (session.serial, session.last_seen)
    assert (held.expires, held.deadline) == (session.expires, session.deadline)
    assert held.session == session
    held.pack()
    assert held.session == session


@settings(max_examples=40)
@given(SESSIONS, SESSIONS, INSTANT)
def test_it_changes_as_the_session_does(one: Session, other: Session, at: Instant) -> None:
    profiles = Profiles()
    held = hold(profiles, one, one.subject)
    held.seen(at)
    assert held.session == replace(one, last_seen=at)
    held.pack()
    assert held.session == replace(one, last_seen=at), "the last use is packed too"
    end = End(at=at, why=EndReason.LOGOUT)
    before = held.session
    held.end(end)
    assert held.session == replace(one, last_seen=at, ended=end)
    assert before.ended == one.ended, "whoever has the session keeps what it was"
    held.end(None)
    assert held.session == replace(one, last_seen=at, ended=None)
    later = replace(other, id=one.id, tenant=one.tenant, subject=one.subject)
    held.put(profiles, later)
    assert held.session == later


def a_session(number: int) -> Session:
    return Session(
        id=SessionId(f"s{number:016d}"),
        tenant=TenantId("default"),
        subject=SubjectId("u"),
        token_hash=TokenHash(bytes(32)),
        serial=Serial(4_000_000_000 + number),
        dialect=DialectName("native"),
        kind=Kind.API,
        address="192.0.2.255",
        port=65_535,
        host="login.example.com",
        user_agent="agent",
        device=Device(name="Firefox"),
        factors=(Factor(method=Method.PASSWORD, at=Instant(1_795_000_000_000 - 60_000)),),
        created=Instant(1_795_000_000_000),
        last_seen=Instant(1_795_000_000_000 + 3_000_000_000),
        idle=Duration(3_600_000),
        expires=Instant(1_795_000_000_000 + 86_400_000),
    )


def test_a_usual_session_packs_into_31_bytes() -> None:
    """With what every object of bytes has beside them that is 64, and one more would be 80."""
    held = hold(Profiles(), a_session(1), SubjectId("u"))
    assert isinstance(held.own, bytes)
    assert len(held.own) <= 31


def test_what_sessions_share_is_kept_once_and_goes_with_the_last() -> None:
    profiles = Profiles()
    first, second = (hold(profiles, a_session(number), SubjectId("u")) for number in (1, 2))
    assert first.profile is second.profile
    other = hold(profiles, replace(a_session(3), host="api.example.com"), SubjectId("u"))
    assert other.profile is not first.profile


@pytest.mark.parametrize("size", [1, 3])
def test_only_so_many_are_kept_ready(size: int) -> None:
    profiles = Profiles(Ready(size))
    some = [hold(profiles, a_session(number), SubjectId("u")) for number in range(size + 2)]
    for held in some:
        assert held.session is held.session
    ready = [isinstance(held.own, Session) for held in some]
    assert ready == [False, False, *[True] * size]
