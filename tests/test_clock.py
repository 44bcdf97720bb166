"""The clock nobody can set comes nearer to the database's, and never goes back."""

from dataclasses import dataclass

import pytest

from lastcall.domain.types import Instant
from lastcall.machine import NANOSECONDS, SLEW, SystemClock

SECOND = 1_000 * NANOSECONDS
NOON = 1_700_000_000 * SECOND


@dataclass
class Machine:
    """`quick` is how many millionths too fast its crystal is."""

    quick: int
    passed: int = 0

    def elapsed(self) -> int:
        return self.passed + self.passed * self.quick // 1_000_000


def a_clock(machine: Machine) -> SystemClock:
    return SystemClock(Instant(0), day=lambda: NOON, elapsed=machine.elapsed)


@pytest.mark.parametrize("quick", [-100, -20, 0, 20, 100])
def test_a_day_under_a_bad_crystal_ends_where_the_database_is(quick: int) -> None:
    machine = Machine(quick)
    clock = a_clock(machine)
    before = clock.now()
    for _ in range(2 * 86_400):
        machine.passed += SECOND // 2
        clock.steer(NOON + machine.passed)
        now = clock.now()
        assert now >= before
        before = now
    assert abs(before - (NOON + machine.passed) // NANOSECONDS) <= 1


@pytest.mark.parametrize("jump", [-3_600, 3_600])
def test_a_database_whose_clock_is_set_moves_no_deadline_by_much(jump: int) -> None:
    machine = Machine(0)
    clock = a_clock(machine)
    before = clock.now()
    for step in range(20_000):
        machine.passed += 333_333 * (step % 7)
        clock.steer(NOON + machine.passed + jump * SECOND)
        assert clock.now() >= before
        before = clock.now()
    assert abs(before - (NOON + machine.passed) // NANOSECONDS) <= (
        machine.passed // SLEW // NANOSECONDS + 1
    )


def test_who_slept_is_not_put_right_at_one_stroke() -> None:
    machine = Machine(0)
    clock = a_clock(machine)
    machine.passed += 3_600 * SECOND
    clock.steer(NOON + 7_200 * SECOND)
    assert clock.now() - (NOON + machine.passed) // NANOSECONDS <= 720


@pytest.mark.parametrize("beyond", [0, 1, NANOSECONDS - 1])
def test_what_it_has_told_is_not_taken_back_by_putting_it_right(beyond: int) -> None:
    machine = Machine(0)
    clock = a_clock(machine)
    machine.passed += 3_600 * SECOND + beyond
    told = clock.now()
    clock.steer(NOON)
    assert clock.now() == told
