"""On which line of a TOML text each key stands; tomllib reads values and forgets places."""

import re
import tomllib
from collections.abc import Mapping

Path = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_PART = re.compile(r'"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'|[A-Za-z0-9_-]+')
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'', re.DOTALL
)


def lines_of(text: str) -> Mapping[Path, int]:
    """The line, counted from 1, of every table header and every key.

    Keys inside a value (an inline table, an array) are not listed: `line_of` answers with the line
    of the key that holds them. The text must be TOML that tomllib accepts.
    """
    found: dict[Path, int] = {}
    table: Path = ()
    counts: dict[Path, int] = {}
    at = _skip(_BLANK, text, 0)
    while at < len(text):
        line = text.count("\n", 0, at) + 1
        if text[at] == "[":
            array = text.startswith("[[", at)
            parts, at = _key(text, at + (2 if array else 1))
            table = _below(parts, counts)
            if array:
                counts[table] = counts.get(table, -1) + 1
                table = (*table, counts[table])
            at += 2 if array else 1
            _note(found, table, line)
        else:
            parts, at = _key(text, at)
            _note(found, (*table, *parts), line)
            at = _after_value(text, at + 1)
        at = _skip(_BLANK, text, at)
    return found


def line_of(lines: Mapping[Path, int], path: Path) -> int | None:
    """The line of a path, or of the nearest thing that holds it; None when nothing does."""
    for end in range(len(path), 0, -1):
        if path[:end] in lines:
            return lines[path[:end]]
    return None


def _note(found: dict[Path, int], path: Path, line: int) -> None:
    """A dotted key makes the tables on its way, the first mention of which counts."""
    for end in range(1, len(path) + 1):
        found.setdefault(path[:end], line)


def _below(parts: tuple[str, ...], counts: Mapping[Path, int]) -> Path:
    """A header's path, going through the newest entry of every array of tables above it."""
    path: Path = ()
    for index, part in enumerate(parts):
        path = (*path, part)
        if index < len(parts) - 1 and path in counts:
            path = (*path, counts[path])
    return path


def _key(text: str, at: int) -> tuple[tuple[str, ...], int]:
    """A dotted key from `at`, and where it ends: at `=` or at `]`."""
    parts: list[str] = []
    while True:
        at = _skip(_SPACE, text, at)
        part = _PART.match(text, at)
        if part is None:
            return tuple(parts), at + 1
        parts.append(next(iter(tomllib.loads(f"{part[0]} = 0"))))
        at = _skip(_SPACE, text, part.end())
        if text[at : at + 1] != ".":
            return tuple(parts), at
        at += 1


def _after_value(text: str, at: int) -> int:
    """Where the value that begins at `at` ends: its line, unless a bracket or string goes on."""
    depth = 0
    while at < len(text):
        string = _STRING.match(text, at)
        if string is not None:
            at = string.end()
            continue
        character = text[at]
        if character == "#":
            at = _skip(_BLANK, text, at) if depth else text.find("\n", at) % (len(text) + 1)
            continue
        if character == "\n" and depth == 0:
            return at
        depth += (character in "[{") - (character in "]}")
        at += 1
    return at


def _skip(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at
