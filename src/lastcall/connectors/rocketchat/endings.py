"""Ending one session, or all of a user's, and seeing whether the workspace still lists them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from lastcall.connectors.rocketchat.desk import Desk, refusal
from lastcall.domain.delivery import Outcome
from lastcall.domain.types import Instant
from lastcall.errand import object_in, quoted, refused, ruled, seen
from lastcall.outward import Answer, Told

MOST_LISTED = 50
NOT_FOUND = "Session not found"


def read(desk: Desk, answer: Answer) -> Told:
    if succeeded(answer) or not_found(answer):
        return ruled(answer, Outcome.DONE)
    return refusal(answer, desk.errand.target, desk.now)


def succeeded(answer: Answer) -> bool:
    return answer.status == 200 and object_in(answer).get("success") is True


def not_found(answer: Answer) -> bool:
    return answer.status == 404 and object_in(answer).get("error") == NOT_FOUND


async def end_session(desk: Desk, sid: str) -> Told:
    """Ended sessions are ended again with success; one not found proves nothing either way.

    Workspaces do not find sessions whose login has never been resumed, though they may be live.
    """
    answer = await desk.ask("POST", "sessions/logout", {"sessionId": sid}, ends=True)
    told = read(desk, answer)
    if told.outcome is not Outcome.DONE or not_found(answer):
        return told
    return seen(told, await ended(desk, sid))


async def ended(desk: Desk, sid: str) -> bool | None:
    """Live sessions alone are shown; a look for one may find another with a similar id."""
    shown = await desk.look("GET", f"sessions/info.admin?sessionId={quoted(sid)}")
    if shown is None:
        return None
    if not_found(shown):
        return True
    return False if succeeded(shown) and object_in(shown).get("sessionId") == sid else None


async def end_user(desk: Desk, account: str, at: Instant) -> Told:
    """A workspace says yes to any id, so proof is that sessions listed before are listed no more.

    Servers before 8 go on listing those that `users.logout` has ended, until each is ended by its
    id; those begun after the logout asked for at `at` are left alone.
    """
    if not desk.own and account == desk.identity["x-user-id"]:
        return refused("is the administrator whose token is used")
    before = await listed(replace(desk, errand=desk.errand.in_haste()), account, at)
    answer = await desk.ask("POST", "users.logout", {"userId": account}, ends=True)
    told = read(desk, answer)
    if told.outcome is not Outcome.DONE or not before:
        return told
    left = await listed(desk, account, at)
    if left:
        for sid in left:
            await desk.look("POST", "sessions/logout", {"sessionId": sid})
        left = await listed(desk, account, at)
    return seen(told, None if left is None else not left)


async def listed(desk: Desk, account: str, at: Instant) -> Sequence[str] | None:
    """The ids of the user's live sessions begun before `at`; None where they cannot be listed."""
    query = f"filter={quoted(account)}&count={MOST_LISTED}"
    shown = await desk.look("GET", f"sessions/list.all?{query}")
    rows = object_in(shown).get("sessions")
    if shown is None or not succeeded(shown) or not isinstance(rows, list):
        return None
    return [
        row["sessionId"]
        for row in rows
        if isinstance(row, dict)
        and row.get("userId") == account
        and isinstance(row.get("sessionId"), str)
        and begun(row.get("loginAt")) <= at
    ]


def begun(text: Any) -> int:
    """In milliseconds; 0 for what is no time."""
    try:
        return int(datetime.fromisoformat(text).timestamp() * 1000)
    except (TypeError, ValueError, OverflowError):
        return 0
