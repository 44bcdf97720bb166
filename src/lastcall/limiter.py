"""Counting calls in fixed windows, in this process's memory and never more of it than planned."""

import hashlib

from limits import RateLimitItemPerSecond
from limits.storage import Storage
from limits.strategies import FixedWindowRateLimiter

from lastcall.ports import Clock
from lastcall.wire import Hit

EXACT_KEYS = 50_000
"""Keys counted one by one; while there are that many, new ones share `SHARED_KEYS` counts."""

SHARED_KEYS = 16_384


class Windows(Storage):
    """Counts that end by themselves. The library's own keeps a thread and grows without end."""

    STORAGE_SCHEME = None

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self._counts: dict[str, tuple[int, float]] = {}

    @property
    def base_exceptions(self) -> type[Exception]:
        return ValueError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        count, ends = self._current(key)
        if not count:
            self._counts.pop(key, None)  # so that the oldest windows stay in front
            ends = self._seconds() + expiry
        self._counts[key] = (count + amount, ends)
        return count + amount

    def get(self, key: str) -> int:
        return self._current(key)[0]

    def get_expiry(self, key: str) -> float:
        return self._current(key)[1]

    def check(self) -> bool:
        return True

    def reset(self) -> int:
        number = len(self._counts)
        self._counts.clear()
        return number

    def clear(self, key: str) -> None:
        self._counts.pop(key, None)

    def holds(self, key: str) -> bool:
        return key in self._counts

    def size(self) -> int:
        """How many keys there are, once those in front that have ended are gone."""
        now = self._seconds()
        while self._counts:
            oldest = next(iter(self._counts))
            if self._counts[oldest][1] > now:
                break
            del self._counts[oldest]
        return len(self._counts)

    def _current(self, key: str) -> tuple[int, float]:
        now = self._seconds()
        count, ends = self._counts.get(key, (0, now))
        return (count, ends) if ends > now else (0, now)

    def _seconds(self) -> float:
        return self._clock.now() / 1000


class MemoryLimiter:
    """A flood of invented keys makes strangers share a count; it makes nobody's count forgotten.

    Each node counts for itself, and a restart begins anew: lock-outs, which must not, are the
    store's affair.
    """

    def __init__(
        self, clock: Clock, *, exact_keys: int = EXACT_KEYS, shared_keys: int = SHARED_KEYS
    ) -> None:
        self.storage = Windows(clock)
        self._windows = FixedWindowRateLimiter(self.storage)
        self._exact_keys = exact_keys
        self._shared_keys = shared_keys

    def hit(self, key: str, limit: int, window: int) -> Hit:
        """Windows are whole seconds, rounded up, and begin with their first call."""
        item = RateLimitItemPerSecond(max(0, limit), max(1, -(-window // 1000)))
        name = self._name(key, item)
        allowed = self._windows.hit(item, name)
        stats = self._windows.get_window_stats(item, name)
        return Hit(
            allowed=allowed,
            remaining=max(0, int(stats.remaining)),
            reset=int(stats.reset_time * 1000),
        )

    def counted(self) -> int:
        return self.storage.size()

    def _name(self, key: str, item: RateLimitItemPerSecond) -> str:
        digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
        exact = digest.hex()[:32]
        if self.storage.holds(item.key_for(exact)) or self.storage.size() < self._exact_keys:
            return exact
        return f"shared-{int.from_bytes(digest[:8]) % self._shared_keys}"
