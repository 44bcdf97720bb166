"""Guesses add up to a lock-out, and are forgotten after it."""

from hypothesis import given
from hypothesis import strategies as st

from lastcall.domain.attempts import (
    Limit,
    Strikes,
    forgiven,
    locked_for,
    struck,
    tries_left,
)
from lastcall.domain.types import Duration, Instant

LIMIT = Limit(tries=3, window=Duration(1_000), lockout=Duration(5_000))


def after(*times: int, limit: Limit = LIMIT) -> Strikes:
    strikes = None
    for time in times:
        strikes = struck(strikes, "k", Instant(time), limit)
    assert strikes is not None
    return strikes


def test_the_last_try_locks() -> None:
    strikes = after(0, 1, 2)
    assert tries_left(strikes, LIMIT) == 0
    assert locked_for(strikes, Instant(2)) == 5_000
    assert locked_for(strikes, Instant(5_001)) == 1
    assert locked_for(strikes, Instant(5_002)) == 0


def test_failures_apart_by_more_than_the_window_do_not_add_up() -> None:
    assert after(0, 1, 1_000).count == 1
    assert after(0, 1, 999).count == 3


def test_a_served_lock_out_starts_over() -> None:
    wide = Limit(tries=2, window=Duration(100_000), lockout=Duration(10))
    assert after(0, 1, 11, limit=wide).count == 1


def test_without_a_limit_nothing_locks() -> None:
    off = Limit(tries=0, window=Duration(1), lockout=Duration(1))
    strikes = after(*range(0, 50, 1), limit=off)
    assert locked_for(strikes, Instant(50)) == 0
    assert tries_left(strikes, off) is None


def test_nobody_is_locked_before_a_first_try() -> None:
    assert locked_for(None, Instant(0)) == 0


def test_an_attempt_that_was_no_guess_is_taken_back_with_its_lock() -> None:
    strikes = forgiven(after(0, 1, 2))
    assert (strikes.count, strikes.locked_until) == (2, 0)
    assert forgiven(forgiven(forgiven(strikes))).count == 0


@given(st.lists(st.integers(0, 100), max_size=30))
def test_within_one_window_no_more_than_the_limit_are_judged(gaps: list[int]) -> None:
    """However the attempts fall, between two lock-outs at most `tries` get through."""
    now, strikes, judged = 0, None, 0
    wide = Limit(tries=3, window=Duration(10_000), lockout=Duration(10_000))
    for gap in gaps:
        now += gap
        if locked_for(strikes, Instant(now)):
            continue
        strikes = struck(strikes, "k", Instant(now), wide)
        judged += 1
    assert judged <= 3
