"""What a column can hold, and how what is no single value becomes one."""

import msgspec

from lastcall.domain.errors import Invalid

Value = str | int | bytes | bool | None
Values = tuple[Value, ...]

MAX_INTEGER = 2**63 - 1

_text = msgspec.json.Encoder().encode
_encode = msgspec.msgpack.Encoder().encode


def json(value: object) -> str:
    return _text(value).decode()


def storable(values: Values) -> None:
    """Raises `UnicodeEncodeError` for what is no text, such as half a surrogate pair, and
    `OverflowError` for a number too large: the encoder looks at every one, and quickly."""
    _encode(values)
    for value in values:
        if type(value) is int and value > MAX_INTEGER:
            raise OverflowError


def refused(error: UnicodeEncodeError | OverflowError) -> Invalid:
    """How that is told to whoever wanted it stored."""
    if isinstance(error, OverflowError):
        return Invalid("number", "is too large to be stored")
    return not_text()


def not_text() -> Invalid:
    return Invalid("text", "holds a character that cannot be stored")
