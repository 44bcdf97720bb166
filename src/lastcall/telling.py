"""What the ways of telling have in common: checks of settings, harmless notices, and probes."""

import re
import time
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import replace
from urllib.parse import quote

from lastcall.addresses import Forbidden, place
from lastcall.domain.delivery import Outcome
from lastcall.domain.types import Duration, SubjectId
from lastcall.outward import (
    ACCEPTED,
    Egress,
    NoAnswer,
    Notice,
    Setting,
    Target,
    Told,
    judged,
    unanswered,
)

PLACEHOLDER = re.compile(r"\{([a-z]+)\}")
PLACEHOLDERS = ("sid", "account")

DEAD = frozenset({401, 403, 404, 410})
"""What a probe hears about a session that has ended."""

DEAD_TO_US = frozenset({404, 410})
"""The same, where the probe brings a credential of its own that may be what is refused."""

PROBE = (
    Setting(
        name="probe_url",
        about="asked with GET after each notice, with {sid} and {account} filled in; it must"
        " answer 200 while the session lives, and 401, 403, 404 or 410 once it is over",
        required=False,
    ),
    Setting(
        name="probe_authorization",
        about="the Authorization header of the probe; with it, 401 and 403 prove nothing",
        required=False,
        secret=True,
    ),
)


ALGORITHMS = ("RS256", "ES256", "EdDSA")
FORMATS = ("iss_sub", "email", "opaque")

NAMING = (
    Setting(
        name="format",
        about="how the user is named: iss_sub (default), email or opaque",
        required=False,
    ),
    Setting(
        name="issuer",
        about="the iss of iss_sub, where it is not this server's own",
        required=False,
    ),
)
"""For wires that name a user by an RFC 9493 subject identifier."""


def harmless(notice: Notice) -> Notice:
    """The same notice about a session and an account nobody has, or could guess."""
    nobody = f"lastcall-test-{notice.jti}"
    return replace(
        notice,
        subject=SubjectId(nobody),
        account=nobody,
        email=f"{nobody}@lastcall.invalid",
        sid=nobody,
        session=None,
    )


def filled(url: str, notice: Notice) -> str | None:
    """A URL with its placeholders filled; None when the notice does not name what it asks for."""
    values = {"sid": notice.sid, "account": notice.account}
    if any(not values.get(name) for name in PLACEHOLDER.findall(url)):
        return None
    return PLACEHOLDER.sub(
        lambda match: quote(values[match[1]], safe="", errors="surrogatepass"), url
    )


def identifier(target: Target, notice: Notice, issuer: str) -> Mapping[str, str] | None:
    """The user's subject identifier; None when the notice lacks what the format asks for."""
    match chosen(target, "format", FORMATS):
        case "email":
            named = {"format": "email", "email": notice.email}
        case "opaque":
            named = {"format": "opaque", "id": notice.account}
        case _:
            issuer = target.settings.get("issuer") or issuer
            named = {"format": "iss_sub", "iss": issuer, "sub": notice.account}
    return named if all(named.values()) else None


async def posted(
    egress: Egress,
    target: Target,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    ok: frozenset[int] = ACCEPTED,
) -> Told:
    """What one POST came to, judged by the status of the answer alone."""
    try:
        answer = await egress.request(
            "POST",
            url,
            headers=headers,
            body=body,
            within=target.client.timeout,
            private=target.client.private,
        )
    except NoAnswer as error:
        return unanswered(error)
    return judged(answer, ok=ok)


async def probed(egress: Egress, target: Target, notice: Notice, telling: Awaitable[Told]) -> Told:
    """What telling came to, with what the client's own probe then saw.

    Both together take no longer than the client's time-out. Nothing is asked where no probe is
    set, or where the notice cannot have arrived.
    """
    began = time.monotonic()
    told = await telling
    left = target.client.timeout - int((time.monotonic() - began) * 1000)
    arrived = told.outcome is Outcome.UNKNOWN or (
        told.status != 0 and told.outcome in (Outcome.DONE, Outcome.REFUSED)
    )
    url = filled(target.settings.get("probe_url", ""), notice)
    if not url or not arrived or left <= 0:
        return told
    credential = target.secrets.get("probe_authorization", "")
    try:
        answer = await egress.request(
            "GET",
            url,
            headers={"Authorization": credential} if credential else {},
            within=Duration(left),
            private=target.client.private,
        )
    except NoAnswer:
        return told
    if answer.status in (DEAD_TO_US if credential else DEAD):
        return replace(told, dead=True)
    if answer.status == 200:
        return replace(told, dead=False, error="still alive")
    return told


def misset(target: Target, settings: Sequence[Setting], *, urls: Iterable[str]) -> list[str]:
    """What is wrong with settings as such: missing, unknown, secret in the open, no good URL."""
    known = {one.name: one for one in settings}
    given = {False: target.settings, True: target.secrets}
    wrong = [
        f"{one.name}: is missing"
        for one in settings
        if one.required and not given[one.secret].get(one.name)
    ]
    for secret, values in given.items():
        for name, value in values.items():
            if name not in known:
                wrong.append(f"{name}: is no setting here; there are {', '.join(known)}")
            elif known[name].secret is not secret:
                wrong.append(f"{name}: {'is no' if secret else 'must be given as a'} secret")
            elif secret and not value.isprintable():
                wrong.append(f"{name}: holds a line break or another control character")
    for name in urls:
        wrong += url_problems(target, name)
    return wrong


def url_problems(target: Target, name: str) -> list[str]:
    """What is wrong with one URL among the settings; nothing when it is not set."""
    written = target.settings.get(name, "")
    unknown = [one for one in PLACEHOLDER.findall(written) if one not in PLACEHOLDERS]
    if unknown:
        return [f"{name}: {{{unknown[0]}}} is neither {{sid}} nor {{account}}"]
    try:
        if written:
            place(PLACEHOLDER.sub("x", written), private=target.client.private)
    except Forbidden as error:
        return [f"{name}: {error}"]
    return []


def one_of(target: Target, name: str, choices: Sequence[str]) -> list[str]:
    """What is wrong with a setting that takes one of a few words, the first by default."""
    chosen = target.settings.get(name, choices[0])
    return [] if chosen in choices else [f"{name}: is not one of {', '.join(choices)}"]


def chosen(target: Target, name: str, choices: Sequence[str]) -> str:
    """The word a setting holds, the first choice when it holds none of them."""
    word = target.settings.get(name, "")
    return word if word in choices else choices[0]


def nobody_named() -> Told:
    """A notice that this wire cannot put into words: there is nothing to name anybody by."""
    return Told(outcome=Outcome.REFUSED, error="nobody to name")
