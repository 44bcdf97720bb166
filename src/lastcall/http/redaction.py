"""What of a request may be written down: patterns, names and a few harmless values."""

import re

from lastcall.wire import Trail

SHOWN_VALUES = frozenset(
    {"before", "cmd", "count", "dialect", "format", "kind", "limit", "live", "offset", "sort"}
)
"""Query parameters whose values are words and numbers of ours."""

PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,23}")
PLAIN_VALUE = re.compile(r"[A-Za-z][A-Za-z._-]{0,23}|[0-9]{1,12}")
PLAIN_SEGMENT = re.compile(r"[A-Za-z][A-Za-z._:-]{0,19}[0-9]{0,2}")
MOST_NAMES = 20


def shown_path(path: str, trail: Trail) -> str:
    """The pattern of the route; of a path nobody knows, its first word."""
    if trail.route:
        return trail.route
    first, slash, _ = path.removeprefix("/").partition("/")
    first = first.partition(";")[0]
    shown = first if not first or PLAIN_SEGMENT.fullmatch(first) else "*"
    return f"/{shown}/*" if slash else f"/{shown}"


def shown_query(query: str) -> str:
    """`cmd=logoutUser&token&*`: names alone, but for the values on the list."""
    if not query:
        return ""
    parts = query.split("&", MOST_NAMES)
    shown = [_parameter(part) for part in parts[:MOST_NAMES]]
    return "&".join(shown + ["*"] * (len(parts) > MOST_NAMES))


def _parameter(part: str) -> str:
    name, given, value = part.partition("=")
    if not given or not PLAIN_NAME.fullmatch(name):
        return "*"
    if name in SHOWN_VALUES and PLAIN_VALUE.fullmatch(value):
        return f"{name}={value}"
    return name
