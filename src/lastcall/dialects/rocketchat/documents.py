"""Session documents and the rows of session lists."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from lastcall.dialects.rocketchat.profile import roles
from lastcall.domain.session import Session
from lastcall.domain.subject import Subject
from lastcall.ports import searchable
from lastcall.wire import iso_time

SHORT_VERSION = re.compile(r"[0-9]+(\.[0-9]+){0,2}")
INSTANCE = "lastcall"


def row(session: Session, **more: object) -> dict[str, object]:
    return {
        "_id": session.id,
        "sessionId": session.id,
        "userId": session.subject,
        **device(session),
        "host": session.host,
        "ip": session.address,
        "loginAt": iso_time(session.created),
        **more,
    }


def device(session: Session) -> dict[str, object]:
    """No key at all where no user agent was sent."""
    if not session.user_agent:
        return {}
    found = session.device
    short = SHORT_VERSION.match(found.version)
    shown = {
        "type": found.type or "other",
        "name": found.name,
        "longVersion": found.version,
        "os": {"name": found.os_name, "version": found.os_version},
        "version": short[0] if short else "",
    }
    return {"device": shown}


def document(session: Session, role: str) -> dict[str, object]:
    """The stored record, without `loginToken`: a hash of the secret is nobody's business."""
    day = datetime.fromtimestamp(session.created / 1000, UTC)
    created, used = iso_time(session.created), iso_time(session.last_seen)
    found: dict[str, object] = {
        "_id": session.id,
        "type": "session",
        "sessionId": session.id,
        "instanceId": INSTANCE,
        "ip": session.address,
        "host": session.host,
        **device(session),
        "userId": session.subject,
        "roles": roles(role),
        "mostImportantRole": role if role == "admin" else "user",
        "loginAt": created,
        "day": day.day,
        "month": day.month,
        "year": day.year,
        "searchTerm": searchable(session),
        "createdAt": created,
        "_updatedAt": iso_time(session.ended.at) if session.ended else used,
        "lastActivityAt": used,
    }
    if session.ended is not None:
        at = iso_time(session.ended.at)
        found |= {"closedAt": at, "logoutAt": at}
        if session.ended.by is not None:
            found["logoutBy"] = session.ended.by
    return found


def owner(subject: Subject | None) -> dict[str, object]:
    """The `_user` of a row; empty when the account is gone."""
    if subject is None:
        return {}
    named = {"name": subject.display_name} if subject.display_name else {}
    return {"_user": {**named, "username": subject.username}}


def reordered(rows: Iterable[dict[str, Any]], sort: Mapping[str, int]) -> list[dict[str, Any]]:
    """By the first key, then the next; rows that tie keep their places."""
    found = list(rows)
    for key, direction in reversed(list(sort.items())):
        found.sort(key=partial(_at, path=key), reverse=direction < 0)
    return found


def _at(one: Any, path: str) -> str:
    for part in path.split("."):
        one = one.get(part, "") if isinstance(one, dict) else ""
    return str(one)
