"""Gates before the disk: they hold commits back, let them through, or fail them."""

import asyncio
from collections.abc import Callable, Sequence
from threading import Event
from typing import Protocol

from lastcall.domain.audit import Record
from lastcall.domain.types import ReceiptId, TenantId
from lastcall.index import Change, Log, Report


class Gate(Protocol):
    def shut(self) -> None: ...

    def open(self) -> None: ...

    def fail(self) -> None:
        """Fail what is held back and what comes."""
        ...

    async def settle(self) -> None:
        """Let everything go on that can go on: either it is done, or it waits for something."""
        ...


class GatedLog:
    """A gate in front of another log, for stores that have no disk."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._held: list[tuple[int, Sequence[Change], Report]] | None = None
        self._error: OSError | None = None

    def append(self, ticket: int, changes: Sequence[Change], report: Report) -> bool:
        if self._error is not None:
            asyncio.get_running_loop().call_soon(report, ticket, self._error)
            return False
        if self._held is None:
            return self._log.append(ticket, changes, report)
        self._held.append((ticket, changes, report))
        return False

    def records(
        self, tenant: TenantId | None, after: int, limit: int, receipt: ReceiptId | None = None
    ) -> Sequence[Record]:
        return self._log.records(tenant, after, limit, receipt)

    async def close(self) -> None:
        await self._log.close()

    def shut(self) -> None:
        self._held = []

    def open(self) -> None:
        held, self._held = self._held or [], None
        for ticket, changes, report in held:
            if self._log.append(ticket, changes, report):
                report(ticket, None)

    def fail(self) -> None:
        self._error = OSError("planted")
        held, self._held = self._held or [], None
        for ticket, _, report in held:
            report(ticket, self._error)

    async def settle(self) -> None:
        await turns()


class StepGate:
    """The same for a store with a writer thread: it is told every step of a commit."""

    def __init__(self) -> None:
        self._way = Event()
        self._way.set()
        self._failing = False
        self.steps: list[str] = []

    def __call__(self, step: str) -> None:
        self.steps.append(step)
        if step == "written":
            self._way.wait()
            if self._failing:
                raise OSError("planted")

    def shut(self) -> None:
        self._way.clear()

    def open(self) -> None:
        self._way.set()

    def fail(self) -> None:
        self._failing = True
        self._way.set()

    async def settle(self) -> None:
        await turns()


async def turns(count: int = 20) -> None:
    """Let everything that can go on go on."""
    for _ in range(count):
        await asyncio.sleep(0)


async def until(holds: Callable[[], bool]) -> None:
    """Wait for what another thread does."""
    async with asyncio.timeout(120):
        while not holds():  # noqa: ASYNC110 - a thread or a disk tells nobody
            await asyncio.sleep(0.005)
