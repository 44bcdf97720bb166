"""Changes an answer may not rest on yet: not durable, or not on every node that may answer."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from lastcall.domain.delivery import Delivery
from lastcall.domain.session import Session
from lastcall.index import Changed
from lastcall.index.concerns import Concern, about_of, mark_of, to_be_tried
from lastcall.ports.feed import Mark


@dataclass(slots=True)
class Doubt:
    """One number of the feed. `sure` are tokens that nobody had before it is durable; `about` is
    what others may still answer differently; `everything` is for all that was read at once."""

    seq: int
    sure: list[Concern] = field(default_factory=list)
    about: list[Concern] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    owed: bool = False
    everything: bool = False
    waiters: list[asyncio.Future[None]] = field(default_factory=list)

    def add(self, changes: Sequence[object]) -> None:
        for change in changes:
            if not isinstance(change, Changed):
                continue
            if isinstance(change.after, Delivery):
                self.owed = self.owed or to_be_tried(change.before, change.after)
                continue
            concerned = about_of(change)
            if change.before is None and isinstance(change.after, Session):
                self.sure += concerned
            else:
                self.about += concerned
                self.marks += [mark_of(change.tenant, one) for one in concerned]

    def wake(self, error: Callable[[], BaseException] | None = None) -> None:
        waiters, self.waiters = self.waiters, []
        for waiter in waiters:
            if not waiter.done():
                if error is None:
                    waiter.set_result(None)
                else:
                    waiter.set_exception(error())


class Doubts:
    """`about` says under which number a concern was changed last, if that is still in doubt, and
    `all_up_to` the number that everything read at once has, 0 once that is beyond doubt."""

    def __init__(self) -> None:
        self.about: dict[Concern, int] = {}
        self.all_up_to = 0
        self._all: deque[Doubt] = deque()

    def __bool__(self) -> bool:
        return bool(self._all)

    def concern(self, doubt: Doubt, concerns: Sequence[Concern]) -> None:
        for one in concerns:
            self.about[one] = doubt.seq

    def add(self, doubt: Doubt) -> None:
        """Of a higher number than all before."""
        self.concern(doubt, doubt.sure)
        self.concern(doubt, doubt.about)
        self._all.append(doubt)

    def more(self, doubt: Doubt, changes: Sequence[object]) -> None:
        """Further changes under the same number."""
        doubt.add(changes)
        self.concern(doubt, doubt.sure)
        self.concern(doubt, doubt.about)

    def begin(self, seq: int) -> None:
        """Everything was read, as it is up to there; others may not have come as far. Who waits for
        anything before waits for that."""
        whole = Doubt(seq, everything=True)
        whole.waiters = [waiter for one in self._all for waiter in one.waiters]
        self._all = deque([whole])
        self.about.clear()
        self.all_up_to = seq

    def durable(self, doubt: Doubt) -> None:
        """Nobody else can have answered otherwise about what is new with it."""
        self._release(doubt, doubt.sure)
        doubt.sure = []

    def settle(self, vouched: int, spread: int) -> None:
        """Up to `vouched` all is durable, and up to `spread` on every node that may answer."""
        while self._all:
            first = self._all[0]
            known = first.about or first.everything
            if first.seq > vouched or (known and first.seq > spread):
                return
            done = self._all.popleft()
            if done.everything:
                self.all_up_to = 0
            self._release(done, done.sure)
            self._release(done, done.about)
            done.wake()

    def drop(self, doubt: Doubt) -> None:
        """It never was; older changes of the same are still in doubt."""
        self._all.remove(doubt)
        self._release(doubt, doubt.sure)
        self._release(doubt, doubt.about)
        for older in self._all:
            self.concern(older, (*older.sure, *older.about))
        doubt.wake()

    def fail(self, error: Callable[[], BaseException]) -> None:
        for one in self._all:
            one.wake(error)

    @property
    def newest(self) -> int:
        """The highest number others may still answer differently after; 0 for none."""
        return next((one.seq for one in reversed(self._all) if one.about or one.everything), 0)

    async def wait(self, seq: int) -> None:
        """Return once nothing up to this number is in doubt."""
        last = next((one for one in reversed(self._all) if one.seq <= seq), None)
        if last is not None:
            waiter = asyncio.get_running_loop().create_future()
            last.waiters.append(waiter)
            await waiter

    def _release(self, doubt: Doubt, concerns: Sequence[Concern]) -> None:
        for one in concerns:
            if self.about.get(one) == doubt.seq:
                del self.about[one]
