"""Last uses on their way to the disk: all of them, in slices, and each session once."""

import asyncio
from collections.abc import Sequence

import pytest

from lastcall.index.held import Held, Profiles, hold
from lastcall.index.uses import SLICE, Uses
from tests.contract.rows import GONE, a_session


def held(number: int) -> Held:
    one = a_session(number)
    return hold(Profiles(), one, one.subject)


async def test_everything_is_written_once_and_in_slices() -> None:
    slices: list[Sequence[Held]] = []
    uses = Uses(slices.append)
    some = [held(number) for number in range(2 * SLICE + 1)]
    for one in (*some, *some):
        uses.add(one)
    assert some[7] in uses
    uses.write_all()
    assert [len(one) for one in slices] == [SLICE, SLICE, 1]
    assert {one.id for part in slices for one in part} == {one.id for one in some}
    assert some[7] not in uses
    assert not uses
    uses.write_all()
    assert len(slices) == 3


async def test_what_has_ended_or_gone_is_left_out() -> None:
    written: list[Held] = []
    uses = Uses(written.extend)
    living, ended, gone = (held(number) for number in (1, 2, 3))
    for one in (living, ended, gone):
        uses.add(one)
    ended.end(GONE)
    gone.leave()
    uses.write_all()
    assert written == [living]


@pytest.mark.slow
async def test_they_are_written_by_themselves_and_go_on_being_gathered() -> None:
    written: list[Held] = []
    uses = Uses(written.extend)
    some = [held(number) for number in range(SLICE + 1)]
    for one in some:
        uses.add(one)
    assert not written
    async with asyncio.timeout(60):
        while len(written) < len(some):
            await asyncio.sleep(0.05)
            uses.add(some[0])
    assert some[0] in uses
    uses.write_all()
    assert len(written) == len(some) + 1
