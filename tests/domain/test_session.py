"""The one decision: whether a session counts."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from lastcall.domain.session import (
    End,
    Session,
    State,
    ended,
    lapses,
    next_use,
    state_of,
    token_counts,
    touched,
)
from lastcall.domain.types import SECOND, EndReason, Instant, Serial
from tests.domain.samples import session, sessions

NOTHING = Serial(0)
instants = st.integers(0, 30_000).map(Instant)
serials = st.integers(0, 25).map(Serial)


def test_a_session_counts_until_the_instant_of_its_deadline_exclusively() -> None:
    one = session(expires=Instant(10_000), idle=500, last_seen=Instant(1_000))
    assert state_of(one, Instant(1_499), NOTHING) is State.LIVE
    assert state_of(one, Instant(1_500), NOTHING) is State.IDLE
    assert state_of(replace(one, idle=None), Instant(9_999), NOTHING) is State.LIVE
    assert state_of(replace(one, idle=None), Instant(10_000), NOTHING) is State.EXPIRED


def test_a_revocation_covers_older_logins_and_not_its_own_serial_or_newer() -> None:
    one = session(serial=Serial(5))
    assert state_of(one, Instant(1_000), Serial(5)) is State.LIVE
    assert state_of(one, Instant(1_000), Serial(6)) is State.REVOKED


@given(sessions, instants, instants, serials, serials)
def test_what_does_not_count_never_counts_later(
    one: Session, now: Instant, later: Instant, revoked: Serial, more: Serial
) -> None:
    """Time and revocations only ever take away."""
    later, more = max(now, later), max(revoked, more)
    if state_of(one, now, revoked) is not State.LIVE:
        assert state_of(one, later, more) is not State.LIVE


@given(sessions, instants, instants)
def test_an_ended_session_stays_ended_whatever_the_clock_says(
    one: Session, at: Instant, now: Instant
) -> None:
    over = ended(one, End(at=at, why=EndReason.LOGOUT))
    assert state_of(over, now, NOTHING) is State.ENDED
    assert ended(over, End(at=now, why=EndReason.IDLE)) == over


@given(sessions, instants)
def test_deadline_is_where_liveness_stops(one: Session, now: Instant) -> None:
    assert (state_of(one, now, NOTHING) is State.LIVE) == (now < one.deadline)


@given(sessions, instants)
def test_a_touch_never_moves_the_deadline_back_nor_past_the_absolute_one(
    one: Session, at: Instant
) -> None:
    after = touched(one, at)
    assert after.last_seen >= one.last_seen
    assert one.deadline <= after.deadline <= one.expires


def test_a_token_may_end_before_its_session() -> None:
    assert token_counts(session(), Instant(9_000))
    one = session(token_expires=Instant(2_000))
    assert token_counts(one, Instant(1_999))
    assert not token_counts(one, Instant(2_000))


@given(sessions, instants, instants, st.none() | instants, serials)
def test_what_counts_goes_on_counting_until_it_lapses(
    one: Session, now: Instant, later: Instant, token_expires: Instant | None, revoked: Serial
) -> None:
    one = replace(one, token_expires=token_expires)

    def counts(at: Instant) -> bool:
        return state_of(one, at, revoked) is State.LIVE and token_counts(one, at)

    if counts(now) and later >= now:
        assert counts(later) == (later < lapses(one))


@given(sessions, instants, instants)
def test_uses_that_are_one_let_a_session_lapse_no_later_and_hardly_sooner(
    one: Session, first: Instant, second: Instant
) -> None:
    assert 0 <= next_use(one, first) - first <= SECOND
    if one.idle is not None and first <= second < next_use(one, first):
        known, exact = touched(one, first), touched(one, second)
        assert 0 <= exact.deadline - known.deadline <= one.idle / 100
