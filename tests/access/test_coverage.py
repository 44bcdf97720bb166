"""What no golden conversation shows yet; the list in uncovered.txt may only get shorter."""

import os
from pathlib import Path
from typing import Any

from lastcall.dialects import DIALECTS
from lastcall.domain.audit import Outcome, Record
from lastcall.domain.errors import (
    BadCredentials,
    Conflict,
    Denied,
    LockedOut,
    SecondFactorRequired,
    Superseded,
)
from lastcall.domain.session import touched
from lastcall.domain.types import Instant
from lastcall.ports import SessionQuery
from lastcall.wire import Call, Reply
from tests.wire.conversation import played, read
from tests.wire.test_golden import BY_NAME, STORIES
from tests.world import OTHER, TENANT, World, make_world

LIST = Path(__file__).with_name("uncovered.txt")
HEAD = """\
# (dialect, method, route) without a golden success or refusal, and whatever changed something or
# refused somebody without an audit record. Lines may be struck out, never added.
"""
ON_RECORD = (BadCredentials, LockedOut, Denied, Conflict, Superseded, SecondFactorRequired)
"""Refusals of somebody known; what carries no good identity is counted, not audited.

A wire's own kinds, derived from these, are left out: they may refuse somebody who is not known.
"""

FOREVER = Instant(2**60)


async def state_of(world: World) -> list[object]:
    """All that a call may change, but for last uses."""
    found: list[object] = []
    for tenant in (TENANT, OTHER):
        async with world.env.store.transaction(tenant) as tx:
            page = await tx.sessions(SessionQuery(limit=10_000))
            found += [touched(session, FOREVER) for session in page.sessions]
            found += [*await tx.subjects("", 10_000), await tx.serial()]
    return found


async def audit_of(world: World) -> list[Record]:
    found: list[Record] = []
    for tenant in (TENANT, OTHER):
        async with world.env.store.transaction(tenant) as tx:
            found += await tx.records(0, 100_000)
    return found


def every_route() -> set[tuple[str, str, str]]:
    """HEAD counts as the GET beside it: only the body is left out, and not by the dialect."""
    return {
        (dialect.name, method, route.path)
        for dialect in DIALECTS
        for route in dialect.routes
        for method in route.allowed
        if method != "HEAD" or "GET" not in route.allowed
    }


def route_of(call: Call[Any], dialect: str) -> tuple[str, str, str] | None:
    """Without what a wire adds to the pattern to tell its commands apart."""
    path = call.trail.route.partition("?")[0]
    return (dialect, call.method, path) if path else None


class Seen:
    def __init__(self) -> None:
        self.granted: set[tuple[str, str, str]] = set()
        self.refused: set[tuple[str, str, str]] = set()
        self.unaudited: set[tuple[str, str, str]] = set()

    def note(
        self, route: tuple[str, str, str], call: Call[Any], reply: Reply, new: list[Record]
    ) -> None:
        said_no = call.trail.refused is not None or reply.status >= 400
        if said_no or any(record.event.outcome is Outcome.REFUSED for record in new):
            self.refused.add(route)
        else:
            self.granted.add(route)
        no = call.trail.refused
        noted_before = isinstance(no, LockedOut) and not no.first
        if type(no) in ON_RECORD and not new and not noted_before:
            self.unaudited.add(route)

    def gaps(self) -> set[str]:
        routes = every_route()
        lines = {"no success": routes - self.granted, "no refusal": routes - self.refused}
        lines["no audit record"] = self.unaudited
        return {f"{what}: {' '.join(one)}" for what, some in lines.items() for one in some}


async def watch() -> Seen:
    seen = Seen()
    for path in STORIES:
        story, name = read(path), path.parent.name
        world = await make_world(policy=story.policy)
        state, audit = await state_of(world), await audit_of(world)
        dialect = BY_NAME[name]  # type: ignore[index]
        async for _, call, reply in played(story, dialect, world):
            before, known = state, len(audit)
            state, audit = await state_of(world), await audit_of(world)
            entered = dialect.enter(call) if call.trail.route else call
            method = call.method if isinstance(entered, Reply) else entered.method
            route = route_of(call.with_(method=method), name)
            if route is None:
                continue
            seen.note(route, call, reply, audit[known:])
            if state != before and len(audit) == known:
                seen.unaudited.add(route)
    return seen


async def test_the_list_only_gets_shorter() -> None:
    listed = {
        line
        for line in LIST.read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    }
    gaps = (await watch()).gaps()
    if os.environ.get("LASTCALL_GOLDEN") == "write":
        listed &= gaps
        LIST.write_text(HEAD + "".join(f"{line}\n" for line in sorted(listed)), encoding="utf-8")
    assert gaps - listed == set(), "show these in a conversation, or audit them"
    assert listed - gaps == set(), "these are covered now: strike them out"
