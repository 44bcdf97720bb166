"""Native routes for guards: the revocation feed as server-sent events, and how far it has come."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import suppress
from itertools import islice

import msgspec

from lastcall.dialects.native.positions import position_in, written
from lastcall.dialects.native.services import service_of
from lastcall.dialects.native.settings import Settings
from lastcall.dialects.native.shapes import FeedEvent, FeedPosition, FeedScope
from lastcall.domain.types import TenantId
from lastcall.ports import Entry, Feed, Mark, Position
from lastcall.wire import Call, Holder, Reply, json_reply

PACE = 0.01
"""Seconds in which progress is gathered, so that a burst of it is told in few pieces."""

PROGRESS = 0.1
"""Seconds after which a follower is told of progress that makes it forget nothing."""

HEARTBEAT = 5.0

MOST_MARKS = 1_000
"""In one event; what one change made doubtful beyond that follows in further ones."""

PIECE = 64 * 1024
"""Bytes after which what there is to tell is sent: other requests are answered in between."""


async def position(call: Call[Settings]) -> Reply:
    """Everything acknowledged anywhere before this call is in what it names."""
    service_of(call)
    return json_reply(FeedPosition(position=written(await call.env.store.feed.current())))


async def feed(call: Call[Settings]) -> Reply:
    """Everything made doubtful after `Last-Event-ID`, and whatever will be, as long as it lasts."""
    name, service = service_of(call)
    last = call.header("last-event-id")
    since = position_in(last, "Last-Event-ID") if last else None
    tenant = TenantId(service.tenant) if service.tenant else None
    return Reply(
        headers=(("Content-Type", "text/event-stream"), ("X-Accel-Buffering", "no")),
        stream=_told(call.env.store.feed, since, tenant),
        holder=Holder("service", name),
    )


async def _told(
    feed: Feed, since: Position | None, tenant: TenantId | None
) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    seen = told = since or Position("", 0)
    said = loop.time() - PROGRESS
    while True:
        entries, here = feed.after(seen), feed.position
        for piece in _pieces(_events(entries, here, tenant)):
            yield piece
            told, said = here, loop.time()
        quiet = loop.time() - said
        if here != told and quiet >= PROGRESS:
            yield _event("position", FeedEvent(at=written(here)), here)
            told, said = here, loop.time()
        elif quiet >= HEARTBEAT:
            yield b": still here\n\n"
            said = loop.time()
        await asyncio.sleep(PACE)
        seen = here
        left = said + (PROGRESS if here != told else HEARTBEAT) - loop.time()
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, left)):
                await feed.beyond(seen)


def _pieces(events: Iterator[bytes]) -> Iterator[bytes]:
    gathered: list[bytes] = []
    size = 0
    for event in events:
        gathered.append(event)
        size += len(event)
        if size >= PIECE:
            yield b"".join(gathered)
            gathered.clear()
            size = 0
    if gathered:
        yield b"".join(gathered)


def _events(
    entries: Sequence[Entry] | None, here: Position, tenant: TenantId | None
) -> Iterator[bytes]:
    if entries is None:
        yield _event("reset", FeedEvent(at=written(here)), here)
        return
    last = here.seq
    for entry in entries:
        marks = entry.marks
        if tenant is not None:
            marks = tuple(mark for mark in marks if mark.tenant == tenant)
        if marks:
            yield from _forgotten(Position(here.epoch, entry.seq), marks)
            last = entry.seq
    if last < here.seq:
        yield _event("position", FeedEvent(at=written(here)), here)


def _forgotten(at: Position, marks: Sequence[Mark]) -> Iterator[bytes]:
    """Only the last event of a change has its id: who reads half of them reads them all again."""
    rest = iter(marks)
    left = len(marks)
    while some := list(islice(rest, MOST_MARKS)):
        left -= len(some)
        event = FeedEvent(
            at=written(at),
            tokens=tuple(one.about.hex() for one in some if isinstance(one.about, bytes)),
            sessions=tuple(one.about for one in some if isinstance(one.about, str)),
            scopes=tuple(_scope(one) for one in some if isinstance(one.about, tuple)),
        )
        yield _event("forget", event, None if left else at)


def _scope(mark: Mark) -> FeedScope:
    assert isinstance(mark.about, tuple)
    subject, dialect = mark.about
    return FeedScope(tenant=mark.tenant, subject=subject, dialect=dialect)


def _event(name: str, data: FeedEvent, at: Position | None) -> bytes:
    """JSON holds no line end, so one `data` line is enough."""
    id_line = b"" if at is None else b"id: %s\n" % written(at).encode("ascii")
    return b"%sevent: %s\ndata: %s\n\n" % (id_line, name.encode("ascii"), msgspec.json.encode(data))
