"""Caps: never more than allowed, and who goes to make room."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastcall.domain.errors import Conflict
from lastcall.domain.policy import WhenFull, all_of, capped
from lastcall.domain.types import Serial
from tests.domain.samples import session

LIVE = [session(serial=Serial(number)) for number in (3, 1, 2)]
NEW = session(serial=Serial(9))


def test_the_oldest_go_until_the_new_one_fits() -> None:
    evicted = capped(2, WhenFull.END_OLDEST)(NEW, LIVE)
    assert [one.serial for one in evicted] == [1, 2]


def test_a_full_house_may_refuse() -> None:
    assert capped(4, WhenFull.REFUSE)(NEW, LIVE) == ()
    with pytest.raises(Conflict):
        capped(3, WhenFull.REFUSE)(NEW, LIVE)


def test_no_cap_is_no_cap() -> None:
    assert capped(0, WhenFull.REFUSE)(NEW, LIVE) == ()


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 8))
def test_every_rule_holds_at_once(one: int, other: int, live: int) -> None:
    rows = [session(serial=Serial(number)) for number in range(live)]
    rule = all_of(capped(one, WhenFull.END_OLDEST), capped(other, WhenFull.END_OLDEST))
    evicted = rule(NEW, rows)
    assert len(rows) - len(evicted) + 1 <= min(one, other) or not rows
    assert len({row.serial for row in evicted}) == len(evicted)
