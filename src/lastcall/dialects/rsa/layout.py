"""How the server writes its answers: JSON or properties, and pages of HTML for every refusal."""

import html
from collections.abc import Mapping
from urllib.parse import unquote_plus

from lastcall.dialects.rsa.settings import Settings
from lastcall.domain.errors import (
    AuthorityError,
    BadCredentials,
    Busy,
    Conflict,
    Denied,
    Invalid,
    LockedOut,
    NotAuthenticated,
    NotFound,
    SecondFactorRequired,
    StoreUnavailable,
    Superseded,
)
from lastcall.wire import Call, Reply, TooLarge, TooSlow, one, pairs, retry_after

SHOWN = ("cmd", "format", "authsource")
"""Parameters that are repeated to the caller; anything else may be, or hold, a secret."""
MASK = "***"
LONGEST_ECHO = 1024

LOGIN_REFUSED = "User could not be validated. The username or password may be incorrect."
TOKEN_REFUSED = "The token is not valid for the command '{}'. Token is invalid or expired"
TOKEN_FORBIDDEN = "The token is not valid for the command '{}'. "
KEEP_ALIVE_REFUSED = "The token is invalid or expired"
SHORT = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def lines(values: Mapping[str, str]) -> Reply:
    """`key=value` lines without the type: clients take a login's whole answer for its token."""
    text = "".join(f"{key}={escaped(value)}\n" for key, value in values.items())
    return Reply(
        body=text.encode("ascii"), headers=(("Content-Type", "text/plain; charset=utf-8"),)
    )


def escaped(value: str) -> str:
    """As Java writes properties, so that no value can end its line or begin another key."""
    return "".join(map(escaped_character, value))


def escaped_character(character: str) -> str:
    if character in SHORT:
        return SHORT[character]
    if " " <= character <= "~":
        return character
    raw = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{raw[at : at + 4]}" for at in range(0, len(raw), 4))


def page(status: int, message: str) -> Reply:
    """The error page, for callers that asked for JSON as well; `message` is HTML already."""
    text = f"<html>\n<head>\n<title>Error</title>\n</head>\n<body>{message}</body>\n</html>"
    return Reply(
        status=status,
        body=text.encode("utf-8", "replace"),
        headers=(
            ("Content-Type", "text/html; charset=utf-8"),
            ("Cache-Control", "no-store"),
            ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
            ("X-Content-Type-Options", "nosniff"),
        ),
    )


def echo(call: Call[Settings]) -> str:
    """The query string as the vendor repeats it, escaped, and without what could be a secret."""
    parts = []
    for part in call.query[:LONGEST_ECHO].split("&"):
        name, equals, _ = part.partition("=")
        if equals and unquote_plus(name) in SHOWN:
            parts.append(part)
        elif equals and name == "token":
            parts.append(f"token={MASK}")
        else:
            parts.append(MASK if part else "")
    return f" Query String={html.escape(printable('&'.join(parts)))}"


def printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def asked(call: Call[Settings]) -> str:
    """The command a refused call named, escaped."""
    try:
        return html.escape(printable(one(pairs(call.query), "cmd") or "")[:LONGEST_ECHO])
    except Invalid:
        return ""


def refuse(call: Call[Settings], error: AuthorityError) -> Reply:
    """401 is the vendor's answer to bad tokens and bad logins alike; only the texts differ."""
    match error:
        case Invalid():
            reply = invalid(call, error)
        case NotAuthenticated() if asked(call) == "keepAlive":
            reply = page(401, KEEP_ALIVE_REFUSED + echo(call))
        case NotAuthenticated():
            reply = page(401, TOKEN_REFUSED.format(asked(call)))
        case Denied() | NotFound() | SecondFactorRequired():
            reply = page(401, TOKEN_FORBIDDEN.format(asked(call)))
        case BadCredentials() | Superseded() | LockedOut():
            reply = page(401, LOGIN_REFUSED + echo(call))
        case Conflict():
            reply = page(409, "The user has too many sessions." + echo(call))
        case Busy() | StoreUnavailable():
            reply = page(503, "The server cannot answer at the moment.")
        case _:
            reply = page(500, "The server failed.")
    return reply.plus(*retry_after(error))


def invalid(call: Call[Settings], error: Invalid) -> Reply:
    status = {TooLarge.code: 413, TooSlow.code: 408}.get(error.code, 412)
    whole = error.field in ("body", "parameters")
    what = error.field if whole else f"parameter {error.field}"
    return page(status, html.escape(f"The {what} {error.problem}.") + echo(call))


async def unknown(call: Call[Settings]) -> Reply:
    if call.allow:
        return page(405, "The method is not allowed.").plus(("Allow", ", ".join(call.allow)))
    return page(404, "There is nothing here.")
