"""Attempts that are counted and not judged yet, and who waits until they are, in this process."""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from types import TracebackType

from lastcall.domain.errors import Busy
from lastcall.domain.types import TenantId

IN_ONE_LINE = 128
"""How many wait for one count. The last of them waits for as many passwords: some four seconds."""

IN_ALL_LINES = 1_024

NOT_YET = -1


@dataclass(slots=True)
class _Line:
    """Of one count: how many attempts are under way, how many have been judged, and who waits."""

    under_way: int = 0
    judged: int = 0
    waiting: "deque[Turn]" = field(default_factory=deque)


class Undecided:
    """A line for each count that somebody has just used up or waits for; the others take no room.

    Belongs to one event loop.
    """

    def __init__(self, *, in_one_line: int = IN_ONE_LINE, in_all_lines: int = IN_ALL_LINES) -> None:
        self._lines: dict[tuple[TenantId, str], _Line] = {}
        self._in_one_line = in_one_line
        self._in_all_lines = in_all_lines
        self.waiting = 0

    @property
    def lines(self) -> int:
        return len(self._lines)

    def turn(self, tenant: TenantId) -> "Turn":
        return Turn(self, tenant)

    def line(self, tenant: TenantId, key: str) -> _Line | None:
        return self._lines.get((tenant, key))

    def begin(self, tenant: TenantId, key: str) -> None:
        self._lines.setdefault((tenant, key), _Line()).under_way += 1

    def judged(self, tenant: TenantId, key: str) -> None:
        line = self._lines[tenant, key]
        line.under_way -= 1
        line.judged += 1
        self._call_first(tenant, key, line)

    def join(self, turn: "Turn", tenant: TenantId, key: str) -> _Line:
        """Stand at the end of a line. Raises `Busy` when it is too long, or all of them are."""
        line = self._lines.get((tenant, key)) or _Line()
        if len(line.waiting) >= self._in_one_line or self.waiting >= self._in_all_lines:
            raise Busy("too many wait for attempts that are under way")
        self._lines[tenant, key] = line
        line.waiting.append(turn)
        self.waiting += 1
        return line

    def leave(self, turn: "Turn", tenant: TenantId, key: str) -> None:
        line = self._lines[tenant, key]
        line.waiting.remove(turn)
        self.waiting -= 1
        self._call_first(tenant, key, line)

    def _call_first(self, tenant: TenantId, key: str, line: _Line) -> None:
        if line.waiting:
            line.waiting[0].call()
        elif not line.under_way:
            del self._lines[tenant, key]


class Turn:
    """One attempt on its way to be counted, then judged; leaving the block is its end at any rate.

    First come, first looked at: who finds others in line stands behind them.
    """

    __slots__ = ("_called", "_counted", "_in", "_line", "_lines", "_seen", "_wants", "tenant")

    def __init__(self, lines: Undecided, tenant: TenantId) -> None:
        self._lines = lines
        self.tenant = tenant
        self._counted: tuple[str, ...] = ()
        self._wants = ""
        self._in = ""
        self._line = _Line()
        self._seen = NOT_YET
        self._called: asyncio.Future[None] | None = None

    def __enter__(self) -> "Turn":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.over()

    def must_wait(self, key: str, *, locked: bool) -> bool:
        """Whether it is too early to say: a lock may still go, or it is somebody else's turn."""
        line = self._lines.line(self.tenant, key)
        if line is None:
            return False
        first = not line.waiting or line.waiting[0] is self
        if line.under_way if locked else not first:
            self._wants = key
            return True
        return False

    def counted(self, *keys: str) -> None:
        """The attempt is under way: it counts against these keys until it is judged."""
        for key in keys:
            self._lines.begin(self.tenant, key)
        self._counted = keys
        self._leave()

    async def come(self) -> None:
        """Wait until it is worth looking again: first in line, and something judged since."""
        if self._in != self._wants:
            self._leave()
            self._line = self._lines.join(self, self.tenant, self._wants)
            self._in, self._seen = self._wants, NOT_YET
        while self._line.waiting[0] is not self or self._line.judged == self._seen:
            self._called = asyncio.get_running_loop().create_future()
            await self._called
        self._seen = self._line.judged

    def call(self) -> None:
        if self._called is not None and not self._called.done():
            self._called.set_result(None)

    def over(self) -> None:
        """Judged, or given up: the next in line may look."""
        self._leave()
        counted, self._counted = self._counted, ()
        for key in counted:
            self._lines.judged(self.tenant, key)

    def _leave(self) -> None:
        if self._in:
            key, self._in = self._in, ""
            self._lines.leave(self, self.tenant, key)
