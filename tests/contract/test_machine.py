"""The machine's clock against suspended, set-back and restarted machines; its entropy."""

import gc
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastcall.domain.types import Instant
from lastcall.machine import SystemClock, SystemEntropy, look_through_new, settle_memory
from tests.contract.authenticator import AT, ClockContract, EntropyContract

MS = 1_000_000  # nanoseconds


class TestSystemClock(ClockContract):
    @pytest.fixture
    def clock(self) -> SystemClock:
        return SystemClock()


class TestSystemEntropy(EntropyContract):
    @pytest.fixture
    def entropy(self) -> SystemEntropy:
        return SystemEntropy()


class Machine:
    """Clocks that can be set, in milliseconds."""

    def __init__(self) -> None:
        self.day = int(AT)
        self.up = 77_000

    def clock(self, floor: int = 0) -> SystemClock:
        return SystemClock(Instant(floor), day=lambda: self.day * MS, elapsed=lambda: self.up * MS)

    def passes(self, milliseconds: int) -> None:
        self.day += milliseconds
        self.up += milliseconds


def test_it_starts_at_the_time_of_day_and_counts_on() -> None:
    machine = Machine()
    clock = machine.clock()
    assert clock.now() == clock.wall() == AT
    machine.passes(5_000)
    assert clock.now() == clock.wall() == AT + 5_000


@pytest.mark.parametrize("step", [-86_400_000, -1, 1, 86_400_000])
def test_setting_the_clock_moves_no_deadline(step: int) -> None:
    machine = Machine()
    clock = machine.clock()
    machine.day += step
    assert clock.now() == AT
    assert clock.wall() == AT + step


def test_a_restart_under_a_slow_clock_goes_on_where_the_records_end() -> None:
    machine = Machine()
    machine.day -= 3_600_000
    clock = machine.clock(floor=AT)
    assert clock.now() == AT
    machine.passes(250)
    assert clock.now() == AT + 250
    assert clock.wall() == AT - 3_600_000 + 250


def test_a_restart_later_than_the_records_is_later() -> None:
    assert Machine().clock(floor=AT - 10_000).now() == AT


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(-(10**9), 10**9)), max_size=20))
def test_no_order_of_waiting_and_setting_takes_it_back(events: list[tuple[int, int]]) -> None:
    machine = Machine()
    clock = machine.clock()
    passed = 0
    for wait, step in events:
        machine.passes(wait)
        machine.day += step
        passed += wait
        assert clock.now() == AT + passed


def test_the_real_one_agrees_with_the_machine() -> None:
    assert abs(SystemClock().now() - time.time_ns() // MS) < 1_000
    assert SystemClock(Instant(9_000_000_000_000)).now() >= 9_000_000_000_000


def test_what_is_loaded_is_not_gone_through_again() -> None:
    usual = gc.get_threshold()
    loaded: list[list[int]] = [[] for _ in range(1_000)]
    try:
        settle_memory()
        assert gc.get_freeze_count() > len(loaded)
        assert gc.get_threshold() > usual
        assert gc.isenabled()
    finally:
        gc.set_threshold(*usual)


def test_what_is_new_is_looked_through_while_it_is_little() -> None:
    usual = gc.get_threshold()
    gc.set_threshold(1_000_000)
    try:
        new: list[list[int]] = [[] for _ in range(1_000)]
        assert gc.get_count()[0] >= len(new)
        look_through_new()
        assert gc.get_count()[0] < len(new)
    finally:
        gc.set_threshold(*usual)


@pytest.mark.parametrize("size", [1, 8, 15, 16, 32])
def test_no_chance_is_given_out_twice(size: int) -> None:
    entropy = SystemEntropy()
    drawn = [entropy.bytes(size) for _ in range(3 * 4_096 // size)]
    assert {len(one) for one in drawn} == {size}
    if size >= 8:
        assert len(set(drawn)) == len(drawn)
