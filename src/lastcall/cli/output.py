"""What commands write: data to standard output, messages to standard error, nothing that acts."""

import json
import sys
from collections.abc import Sequence
from enum import IntEnum
from typing import Any, TextIO

from lastcall.logs import shown

WIDEST = 60
"""Characters of a cell in a table."""


class Exit(IntEnum):
    """What a command ends with."""

    OK = 0
    ERROR = 1
    USAGE = 2
    NOT_FOUND = 3
    DENIED = 4
    PARTIAL = 5


EXIT_OF = {
    "invalid": Exit.USAGE,
    "not-found": Exit.NOT_FOUND,
    "denied": Exit.DENIED,
    "partial": Exit.PARTIAL,
}
"""By the stable code of a refusal; all others are `ERROR`."""


class Stop(Exception):
    """The command ends here, with a message."""

    def __init__(self, text: str, code: Exit = Exit.ERROR) -> None:
        super().__init__(text)
        self.code = code


def say(text: str = "") -> None:
    _write(sys.stderr, shown(text, 2_000))


def put(text: str = "") -> None:
    _write(sys.stdout, text)


def put_json(value: Any) -> None:
    """ASCII alone, so that no text in it can command a terminal."""
    put(json.dumps(value, indent=2, ensure_ascii=True))


def put_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    for line in table(columns, rows):
        put(line)


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """Its lines; control characters in cells are spelt out."""
    cells = [[shown(_text(value), WIDEST) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (columns, *cells)
    ]


def _text(value: Any) -> str:
    match value:
        case None | "" | []:
            return "-"
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(map(str, value))
        case _:
            return str(value)


def _write(stream: TextIO, text: str) -> None:
    stream.write(text + "\n")
    stream.flush()
