"""The feed of a store on the index: what is doubtful is told once, in order; else all is reset."""

import asyncio

from lastcall.domain.types import SessionId, TenantId
from lastcall.index import IndexFeed
from lastcall.ports import Entry, Mark, Position

ONE = Mark(TenantId("default"), SessionId("one"))
TWO = Mark(TenantId("default"), SessionId("two"))


async def confirmed() -> None:
    return None


def a_feed(keep: int = 100) -> IndexFeed:
    return IndexFeed("e", 7, confirmed, keep)


def test_entries_after_a_position_come_in_order() -> None:
    feed = a_feed()
    feed.publish(8, [ONE])
    feed.publish(9, [])
    feed.publish(10, [TWO])
    assert feed.position == Position("e", 10)
    assert feed.after(Position("e", 7)) == [Entry(8, (ONE,)), Entry(10, (TWO,))]
    assert feed.after(Position("e", 8)) == [Entry(10, (TWO,))]
    assert feed.after(Position("e", 10)) == []


def test_a_position_it_cannot_answer_for_is_none() -> None:
    feed = a_feed(keep=1)
    feed.publish(8, [ONE])
    feed.publish(9, [TWO])
    assert feed.after(Position("e", 7)) is None
    assert feed.after(Position("e", 8)) == [Entry(9, (TWO,))]
    assert feed.after(Position("e", 10)) is None
    assert feed.after(Position("other", 9)) is None


def test_what_names_very_much_is_not_remembered_for_ever() -> None:
    """Entries are bounded in number, and what they name all together."""
    feed = IndexFeed("e", 0, confirmed, keep=10, marks=100)
    many = [Mark(TenantId("default"), SessionId(f"s{n}")) for n in range(60)]
    feed.publish(1, many)
    feed.publish(2, many[:40])
    assert [one.seq for one in feed.after(Position("e", 0)) or ()] == [1, 2]
    feed.publish(3, many[:1])
    assert feed.after(Position("e", 0)) is None
    assert [one.seq for one in feed.after(Position("e", 1)) or ()] == [2, 3]
    feed.publish(4, [*many, *many])
    assert feed.after(Position("e", 3)) is None
    assert feed.after(Position("e", 4)) == []


def test_another_epoch_forgets_everything() -> None:
    feed = a_feed()
    feed.publish(8, [ONE])
    feed.restart("f", 3)
    assert feed.position == Position("f", 3)
    assert feed.after(Position("e", 8)) is None
    assert feed.after(Position("f", 3)) == []


async def test_who_waits_is_woken_by_any_progress() -> None:
    feed = a_feed()
    waiting = asyncio.create_task(feed.beyond(Position("e", 7)))
    await asyncio.sleep(0)
    assert not waiting.done()
    feed.publish(8, [])
    await asyncio.wait_for(waiting, 30)
    await asyncio.wait_for(feed.beyond(Position("e", 7)), 30)
    assert await feed.current() == Position("e", 8)
