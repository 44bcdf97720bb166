"""What a setting expects, in words, from the type it is declared with."""

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, get_args, get_origin

import msgspec
from msgspec import inspect

from lastcall.settings.values import PARSERS

_WORDS: dict[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    dict: "a table",
    list: "a list",
}


def found(value: object, *, may_show: bool = False) -> str:
    """What was found: its kind, and itself only where it cannot be a secret."""
    text = getattr(value, "text", value)
    if isinstance(text, bool):
        return str(text).lower()
    if isinstance(text, int | float) or (may_show and isinstance(text, str)):
        return json.dumps(text)[:60]
    return _WORDS.get(type(text), "a date or time")


def expected(kind: Any) -> str:
    return _words(inspect.type_info(kind))


def struct_of(kind: Any) -> type[msgspec.Struct] | None:
    """The Struct a setting holds, also where it may be left out."""
    return next(
        (
            part.cls
            for part in _parts(inspect.type_info(kind))
            if isinstance(part, inspect.StructType)
        ),
        None,
    )


def item_of(kind: Any) -> Any:
    """The type of what a list or a table of free keys holds; None for everything else."""
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    parts = get_args(kind)
    if get_origin(kind) in (dict, Mapping):
        return parts[1]
    return parts[0] if get_origin(kind) in (list, tuple, set, frozenset, Sequence) else None


def takes_text(kind: Any) -> bool:
    return any(isinstance(part, inspect.StrType) for part in _parts(inspect.type_info(kind)))


def _parts(info: inspect.Type) -> tuple[inspect.Type, ...]:
    return info.types if isinstance(info, inspect.UnionType) else (info,)


def _words(info: inspect.Type) -> str:
    match info:
        case inspect.UnionType(types=types):
            return " or ".join(_words(part) for part in types if not _is_none(part))
        case inspect.CustomType(cls=cls) if cls in PARSERS:
            return PARSERS[cls][1]
        case inspect.EnumType(cls=cls):
            return _choice([member.value for member in cls])
        case inspect.LiteralType(values=values):
            return _choice(values)
        case inspect.IntType(ge=low, le=high) | inspect.FloatType(ge=low, le=high):
            word = _WORDS[int] if isinstance(info, inspect.IntType) else _WORDS[float]
            return word + _range(low, high)
        case inspect.BoolType():
            return _WORDS[bool]
        case inspect.StrType(min_length=least):
            return "text that is not empty" if least else _WORDS[str]
        case inspect.StructType() | inspect.DictType():
            return _WORDS[dict]
        case inspect.CollectionType(item_type=item):
            return f"a list, each {_words(item)}"
        case _:
            return "another kind of value"


def _is_none(info: inspect.Type) -> bool:
    return isinstance(info, inspect.NoneType)


def _choice(values: Any) -> str:
    return "one of " + ", ".join(f'"{value}"' for value in sorted(map(str, values)))


def _range(low: float | None, high: float | None) -> str:
    if low is None:
        return "" if high is None else f", at most {high}"
    return f", at least {low}" if high is None else f" from {low} to {high}"
