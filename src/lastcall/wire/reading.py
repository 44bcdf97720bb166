"""Reading a call: parameters, bodies, the bearer token, and where a browser says it comes from."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
from python_multipart import create_form_parser
from python_multipart.exceptions import FormParserError

from lastcall.domain.errors import Invalid
from lastcall.wire.call import Call

MAX_PARAMETERS = 200
"""More form or query fields than this in one request are refused."""

Pairs = Sequence[tuple[str, str]]


def pairs(text: str) -> Pairs:
    """A query string or form body in order, blank values kept; raises `Invalid`."""
    try:
        return parse_qsl(
            text, keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS
        )
    except (UnicodeDecodeError, ValueError) as error:
        raise Invalid("parameters", "cannot be read") from error


def one(from_: Pairs, name: str) -> str | None:
    """The only value of a parameter; None when absent. Raises `Invalid` when it is repeated."""
    values = [value for key, value in from_ if key == name]
    if len(values) > 1:
        raise Invalid(name, "must not be repeated")
    return values[0] if values else None


def content_type(call: Call[Any]) -> str:
    values = call.headers.get("content-type", ())
    return values[0].partition(";")[0].strip().lower() if values else ""


def form(call: Call[Any]) -> Pairs:
    """The fields of a urlencoded or multipart body; files and any other type give none."""
    kind = content_type(call)
    if not call.body:
        return ()
    if kind == "application/x-www-form-urlencoded":
        try:
            return pairs(call.body.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise Invalid("body", "is not UTF-8") from error
    if kind == "multipart/form-data":
        return _multipart(call)
    return ()


def _multipart(call: Call[Any]) -> Pairs:
    found: list[tuple[str, str]] = []

    def on_field(part: Any) -> None:
        name, value = part.field_name or b"", part.value or b""
        found.append((name.decode("utf-8"), value.decode("utf-8")))
        if len(found) > MAX_PARAMETERS:
            raise Invalid("body", "has too many parts")

    headers = {"Content-Type": call.headers["content-type"][0].encode("latin-1")}
    try:
        parser = create_form_parser(headers, on_field, lambda _file: None)
        parser.write(call.body)
        parser.finalize()
    except (FormParserError, UnicodeDecodeError, ValueError) as error:
        raise Invalid("body", "is not a readable multipart form") from error
    return found


def json_body(call: Call[Any]) -> Any:
    """The body as JSON whatever the content type says; None when empty. Raises `Invalid`."""
    if not call.body.strip():
        return None
    try:
        return msgspec.json.decode(call.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid("body", "is not JSON") from error


def bearer(call: Call[Any]) -> str | None:
    """The token of `Authorization: Bearer`; None when no such header is offered.

    The scheme's case does not matter and the space after it may be missing; an empty token is
    offered and bad (`Invalid`), not absent.
    """
    value = call.header("authorization")
    if value is None or value[:6].lower() != "bearer":
        return None
    words = value[6:].split()
    if len(words) != 1:
        raise Invalid("Authorization", "holds no bearer token")
    return words[0]


def cross_site(call: Call[Any]) -> bool:
    """Whether a browser says that another site caused this request.

    `Sec-Fetch-Site` decides where it is sent; otherwise an `Origin` that is not ours.
    """
    site = call.headers.get("sec-fetch-site", ())
    if site:
        return site[0] not in ("same-origin", "same-site", "none")
    origins = call.headers.get("origin", ())
    if not origins:
        return False
    ours = {_authority(call.public_url), call.host.lower()} - {""}
    return _authority(origins[0]) not in ours


def _authority(url: str) -> str:
    """Empty where it has none, as `null` has."""
    try:
        return urlsplit(url).netloc.lower()
    except ValueError:
        return ""
