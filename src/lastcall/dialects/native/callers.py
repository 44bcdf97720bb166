"""Who calls the native API: bearer token or browser cookie, and what a cookie needs beside it."""

import msgspec

from lastcall.authority.refusals import refusals
from lastcall.authority.validate import validate
from lastcall.dialects.native.problems import COOKIE, CsrfRefused
from lastcall.dialects.native.settings import Settings
from lastcall.domain.access import Caller
from lastcall.domain.audit import Action
from lastcall.domain.errors import NotAuthenticated
from lastcall.domain.session import Session
from lastcall.domain.token import SECRET_BYTES, derive, same, secret_text
from lastcall.domain.types import DialectName, Kind, TenantId
from lastcall.ports import Entropy
from lastcall.wire import Call, bearer, cross_site, set_cookie

NATIVE_NAME = DialectName("native")
PREFIX = "lct_"
"""So that a token that leaks is known for one by those who look for leaks."""


class Offered(msgspec.Struct, frozen=True, kw_only=True):
    """What was presented. A bearer token goes before a cookie; the query is never looked at."""

    token: str
    by_cookie: bool


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """Who it turned out to be, and the session that says so."""

    caller: Caller
    session: Session
    offered: Offered


def mint(entropy: Entropy) -> str:
    secret = secret_text(entropy.bytes(SECRET_BYTES))
    return f"{PREFIX}{secret}"


def csrf_of(token: str) -> str:
    return derive(token, "native-csrf")


def cookie_of(token: str) -> tuple[str, str]:
    """For this host alone, over TLS alone, out of scripts' reach, until the browser closes."""
    return set_cookie(COOKIE, token, secure=True)


def offered(call: Call[Settings]) -> Offered | None:
    """None when nothing was offered, which is not the same as something bad."""
    token = bearer(call)
    if token is not None:
        return Offered(token=token, by_cookie=False)
    cookie = call.cookie(COOKIE)
    return Offered(token=cookie, by_cookie=True) if cookie else None


def tenants(settings: Settings, tenant: TenantId, *, by_host: bool) -> frozenset[TenantId]:
    """Whose people may be known here: the host's tenant alone, or those the settings name."""
    if by_host or not settings.more_tenants:
        return frozenset({tenant})
    return frozenset({tenant, *map(TenantId, settings.more_tenants)})


async def known(
    call: Call[Settings], *, changes: Action | None = None, any_dialect: bool = False
) -> Known:
    """The caller. Raises `NotAuthenticated`; `CsrfRefused` for a change by cookie alone.

    `changes` is what the call is about to do, for the audit record of the latter refusal.
    """
    given = offered(call)
    if given is None:
        raise NotAuthenticated("nothing offered")
    accepted = tenants(call.settings, call.tenant, by_host=call.tenant_by_host)
    caller = await validate(
        call.env,
        call.tenant if len(accepted) == 1 else None,
        given.token,
        call.origin,
        dialects=None if any_dialect else (),
    )
    session = caller.session
    if session is None or caller.tenant not in accepted:
        raise NotAuthenticated("token of another tenant")
    in_browser = session.dialect == NATIVE_NAME and session.kind is Kind.BROWSER
    if given.by_cookie and not in_browser:
        raise NotAuthenticated("this session was not given to a browser")
    if given.by_cookie and changes is not None:
        async with refusals(call.env, caller, changes):
            _require_same_site(call, given.token)
    return Known(caller=caller, session=session, offered=given)


def _require_same_site(call: Call[Settings], token: str) -> None:
    sent = call.header("x-csrf-token")
    if sent is None or not same(sent, csrf_of(token)) or cross_site(call):
        raise CsrfRefused("no or wrong CSRF token, or another site asked")
