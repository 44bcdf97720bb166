"""The limiter counts as the tests' own does, and stays within its memory."""

import pytest

from lastcall.limiter import MemoryLimiter
from lastcall.wire import Hit
from tests.fakes import EPOCH, FakeClock

MINUTE = 60_000


def test_a_window_begins_with_its_first_call() -> None:
    clock = FakeClock()
    limiter = MemoryLimiter(clock)
    hits = [limiter.hit("a", 2, MINUTE) for _ in range(3)]
    ends = EPOCH + MINUTE
    assert hits == [
        Hit(allowed=True, remaining=1, reset=ends),
        Hit(allowed=True, remaining=0, reset=ends),
        Hit(allowed=False, remaining=0, reset=ends),
    ]
    clock.advance(MINUTE - 1)
    assert not limiter.hit("a", 2, MINUTE).allowed
    clock.advance(1)
    assert limiter.hit("a", 2, MINUTE) == Hit(allowed=True, remaining=1, reset=EPOCH + 2 * MINUTE)


def test_keys_limits_and_windows_are_counted_apart() -> None:
    limiter = MemoryLimiter(FakeClock())
    assert limiter.hit("a", 1, MINUTE).allowed
    assert limiter.hit("b", 1, MINUTE).allowed
    assert limiter.hit("a", 1, 2 * MINUTE).allowed
    assert not limiter.hit("a", 1, MINUTE).allowed
    assert not limiter.hit("a", 0, MINUTE).allowed


@pytest.mark.parametrize("window", [1, 999, 1_000])
def test_a_window_is_at_least_a_second(window: int) -> None:
    assert MemoryLimiter(FakeClock()).hit("a", 1, window).reset == EPOCH + 1_000


def test_a_flood_of_keys_takes_no_more_memory_and_forgets_nobody() -> None:
    clock = FakeClock()
    limiter = MemoryLimiter(clock, exact_keys=100, shared_keys=10)
    assert not [limiter.hit("known", 2, MINUTE) for _ in range(3)][-1].allowed
    for number in range(5_000):
        limiter.hit(f"invented-{number}", 2, MINUTE)
    assert limiter.counted() <= 110
    assert not limiter.hit("known", 2, MINUTE).allowed
    assert not limiter.hit("another", 2, MINUTE).allowed, "it shares a count that is used up"
    clock.advance(MINUTE)
    assert limiter.hit("another", 2, MINUTE).remaining == 1
    assert limiter.counted() == 1


def test_the_storage_keeps_the_librarys_contract() -> None:
    clock = FakeClock()
    limiter = MemoryLimiter(clock)
    limiter.hit("a", 1, MINUTE)
    assert limiter.storage.check()
    assert limiter.storage.reset() == 1
    assert limiter.hit("a", 1, MINUTE).allowed
    limiter.storage.clear("unknown")
    assert limiter.counted() == 1
