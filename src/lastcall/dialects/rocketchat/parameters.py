"""Parameters: what a call brings, checked and coerced as Rocket.Chat's JSON schemas do it."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from lastcall.dialects.rocketchat.settings import Settings
from lastcall.dialects.rocketchat.words import Failure
from lastcall.domain.errors import Invalid
from lastcall.domain.types import SessionId, SubjectId
from lastcall.wire import Call, content_type, form, json_body, pairs

NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
MOST_ROWS_SKIPPED = 2**53 - 1
SORT_KEYS = frozenset(
    ("loginAt", "device.name", "device.os.name", "device.os.version", "_user.name",
     "_user.username")
)  # fmt: skip


def offered(call: Call[Any]) -> Any:
    """The query of a GET, the body of anything else; what cannot be read counts as empty."""
    if call.method == "GET":
        return _gathered(pairs(call.query))
    try:
        if content_type(call) in ("application/x-www-form-urlencoded", "multipart/form-data"):
            return _gathered(form(call))
        body = json_body(call)
    except Invalid:
        return {}
    return {} if body is None else body


def _gathered(found: Any) -> dict[str, Any]:
    """Repeated names become lists, which no schema here takes."""
    out: dict[str, Any] = {}
    for name, value in found:
        if name not in out:
            out[name] = value
        elif isinstance(out[name], list):
            out[name].append(value)
        else:
            out[name] = [out[name], value]
    return out


def wrong(problem: str) -> Failure:
    return Failure(problem, "invalid-params")


def anything(_given: Any, _settings: Settings) -> None:
    return None


def session_id(given: Any, _settings: Settings) -> SessionId:
    """`sessionId` and nothing else."""
    members = _members(given, ("sessionId",), required="sessionId")
    return SessionId(_text(members["sessionId"]))


def user_id(given: Any, _settings: Settings) -> SubjectId | None:
    """`userId`, None where it is absent or empty; whatever else comes along is ignored."""
    members = _members(given, None)
    return SubjectId(_text(members.get("userId"))) or None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Which rows of a list: `sort` reorders them within the page, 1 up and -1 down."""

    offset: int
    count: int
    filter: str
    sort: Mapping[str, int]


def listing(given: Any, settings: Settings) -> Listing:
    members = _members(given, ("offset", "count", "filter", "sort"))
    offset = _number(members.get("offset", "0"))
    count = _number(members.get("count", str(settings.API_Default_Count)))
    text, raw = _text(members.get("filter", "")), _text(members.get("sort", ""))
    if offset < 0:
        raise wrong("must be >= 0")
    if count < 1:
        raise wrong("must be > 0")
    return Listing(
        offset=min(offset, MOST_ROWS_SKIPPED),
        count=min(count, settings.API_Upper_Count_Limit),
        filter=text,
        sort=_sort(raw),
    )


def _sort(raw: str) -> Mapping[str, int]:
    if not raw:
        return {}
    try:
        sort = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        sort = None
    if not isinstance(sort, dict) or not all(map(_direction, sort.values())):
        raise Failure(
            f'Invalid sort parameter provided: "{raw}"',
            "error-invalid-sort",
            helperMethod="parseJsonQuery",
        )
    if not SORT_KEYS.issuperset(sort):
        raise Failure("error-invalid-sort-keys")
    return {key: int(value) for key, value in sort.items()}


def _direction(value: object) -> bool:
    return value in (1, -1) and not isinstance(value, bool)


def _members(
    given: Any, allowed: tuple[str, ...] | None, required: str | None = None
) -> dict[str, Any]:
    """In the order in which ajv complains: type, missing, surplus."""
    if not isinstance(given, dict):
        raise wrong("must be object")
    if required is not None and required not in given:
        raise wrong(f"must have required property '{required}'")
    if allowed is not None and not set(given) <= set(allowed):
        raise wrong("must NOT have additional properties")
    return given


def _text(value: Any) -> str:
    """As ajv coerces: numbers and booleans as JavaScript prints them, null as nothing."""
    match value:
        case str():
            return value
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return str(int(value)) if value.is_integer() and abs(value) < 1e21 else repr(value)
        case _:
            raise wrong("must be string")


def _number(value: Any) -> int:
    """Of a query's text; the fraction is cut off."""
    number = float(value) if isinstance(value, str) and NUMBER.fullmatch(value) else math.inf
    if not math.isfinite(number):
        raise wrong("must be number")
    return int(number)
