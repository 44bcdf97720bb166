"""Reading what the native API is sent: strictly, and without repeating it in the refusal."""

import re
from typing import Any, TypeVar

import msgspec

from lastcall.dialects.native.problems import WrongMediaType
from lastcall.dialects.native.settings import Settings
from lastcall.domain.errors import Invalid
from lastcall.wire import Call, Pairs, content_type, form, pairs

T = TypeVar("T")

PLACE = re.compile(r" - at `\$\.?([^`]*)`$")
NAMED = re.compile(r"(?:missing required field|contains unknown field) `([^`]*)`")
JSON_WORDS = {
    "str": "a string",
    "int": "an integer",
    "bool": "true or false",
    "object": "an object",
}
PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.\[\]]{0,63}")


def json_as(call: Call[Settings], kind: type[T], *, optional: bool = False) -> T:
    """The JSON body. Raises `Invalid`, `WrongMediaType`; `optional` takes an empty body for {}."""
    if not call.body.strip() and optional:
        return msgspec.convert({}, kind)
    if content_type(call) != "application/json":
        raise WrongMediaType(content_type(call) or "no type")
    try:
        return msgspec.json.decode(call.body, type=kind)
    except msgspec.ValidationError as error:
        raise _invalid(error, "body") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Invalid("body", "is not JSON") from None


def query_as(call: Call[Settings], kind: type[T]) -> T:
    try:
        return msgspec.convert(_once(pairs(call.query)), kind, strict=False)
    except msgspec.ValidationError as error:
        raise _invalid(error, "query") from None


def form_fields(call: Call[Settings]) -> dict[str, str]:
    """The fields of an OAuth form, each at most once (RFC 6749 3.2)."""
    if content_type(call) != "application/x-www-form-urlencoded":
        raise WrongMediaType(content_type(call) or "no type")
    return _once(form(call))


def _once(given: Pairs) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in given:
        if name in found:
            raise Invalid(name if PLAIN.fullmatch(name) else "parameter", "must not be repeated")
        found[name] = value
    return found


def _invalid(error: msgspec.ValidationError, whole: str) -> Invalid:
    """Where it is wrong and how, in words that hold none of what was sent."""
    text = str(error)
    place = PLACE.search(text)
    inside = place[1] if place else ""
    named = NAMED.search(text)
    if named:
        problem = "is missing" if "missing" in text else "is not known"
        return Invalid(_field(inside, named[1], whole), problem)
    if text.startswith(("Expected", "Object")):
        return Invalid(_field(inside, "", whole), _expectation(text.split(" - at ")[0]))
    return Invalid(_field(inside, "", whole), "is not one of the values there are")


def _field(inside: str, name: str, whole: str) -> str:
    field: Any = ".".join(filter(None, (inside, name)))
    return field if PLAIN.fullmatch(field) else whole


def _expectation(text: str) -> str:
    """msgspec's expectation in the words of JSON."""
    wanted = text.removeprefix("Expected ").split(", got ")[0]
    return "must be " + re.sub(r"`(\w+)`", lambda found: JSON_WORDS.get(found[1], found[1]), wanted)
