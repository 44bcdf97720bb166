"""oauth 1.x and later: a service user logs in and deletes a user's tokens, or one login's."""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from lastcall.connectors.soajs.envelope import fault, read
from lastcall.domain.delivery import Outcome
from lastcall.errand import BEARER, Errand, object_in, quoted, ruled, seen
from lastcall.outward import Answer, Notice, Told
from lastcall.telling import nobody_named

BAD_TOKEN = 401
"""The access token that is presented is unknown or has expired."""

CREDENTIALS = dict.fromkeys((400, 401, 403, 413, 414, 503), "credentials refused")
"""One code or another for a wrong password, user, tenant or client, by version."""


async def by_token(errand: Errand, notice: Notice) -> Told:
    """Tokens that are known are deleted by themselves; otherwise all of the account's are."""
    access, _, refresh = notice.sid.partition("|")
    if access and not (BEARER.fullmatch(access) and BEARER.fullmatch(refresh or access)):
        return nobody_named()
    if not access and not notice.account:
        return nobody_named()
    granted = await logged_in(errand)
    grant = object_in(granted)
    token = grant.get("access_token")
    if not isinstance(token, str) or not BEARER.fullmatch(token):
        return read(granted, CREDENTIALS)
    try:
        if access:
            return await end_login(errand, token, access, refresh)
        return await end_user(errand, token, notice.account)
    finally:
        await log_out(errand, token, grant)


async def logged_in(errand: Errand) -> Answer:
    pair = f"{errand.value('tenant')}:{errand.value('secret')}"
    client = b64encode(pair.encode(errors="replace")).decode("ascii")
    said = {
        "grant_type": "password",
        "username": errand.value("username"),
        "password": errand.value("password"),
    }
    headers = {"key": errand.value("key"), "authorization": f"Basic {client}"}
    return await errand.ask("POST", "/oauth/token", headers=headers, members=said)


def bearer(errand: Errand, token: str) -> Mapping[str, str]:
    return {"key": errand.value("key"), "authorization": f"Bearer {token}"}


def path_of(what: str, id: str) -> str:
    return f"/oauth/{what}/{quoted(id)}"


async def end_user(errand: Errand, token: str, account: str) -> Told:
    """Versions 1.0.0 to 2.5.0 find no token of anybody, and say so with success.

    So would a server that does not let the service user delete them.
    """
    path = path_of("tokens/user", account)
    answer = await errand.ask("DELETE", path, headers=bearer(errand, token), ends=True)
    told = read(answer, CREDENTIALS)
    trusted = errand.value("trust_zero") == "yes"
    if told.outcome is Outcome.DONE and deleted(answer) < 1 and not trusted:
        return ruled(answer, Outcome.REFUSED, "ended nothing")
    return told


def deleted(answer: Answer) -> int:
    """How many tokens: `data.n`, in later versions `data` itself."""
    data: Any = object_in(answer).get("data")
    count = data.get("n") if isinstance(data, dict) else data
    return count if type(count) is int else 0


async def end_login(errand: Errand, token: str, access: str, refresh: str) -> Told:
    """The refresh token goes first: it outlives the other and would bring forth the next.

    Whether the access token is dead shows when it is to delete itself.
    """
    if refresh:
        path = path_of("refreshToken", refresh)
        answer = await errand.ask("DELETE", path, headers=bearer(errand, token), ends=True)
        told = read(answer, CREDENTIALS)
        if told.outcome is not Outcome.DONE:
            return told
    path = path_of("accessToken", access)
    answer = await errand.ask("DELETE", path, headers=bearer(errand, token), ends=True)
    told = read(answer, CREDENTIALS)
    if told.outcome is not Outcome.DONE:
        return told
    code = fault(await errand.look("DELETE", path, headers=bearer(errand, access)))
    return seen(told, True if code == BAD_TOKEN else False if code == 0 else None)


async def log_out(errand: Errand, token: str, grant: Mapping[str, Any]) -> None:
    """Leave no token of the service user behind; what fails here expires by itself."""
    headers = bearer(errand, token)
    refresh = grant.get("refresh_token")
    if isinstance(refresh, str):
        await errand.look("DELETE", path_of("refreshToken", refresh), headers=headers)
    await errand.look("DELETE", path_of("accessToken", token), headers=headers)
