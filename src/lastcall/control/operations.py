"""The operations by name: parameters and results are plain JSON values."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

import msgspec

from lastcall.authority.accounts import accounts, accounts_of, any_account
from lastcall.authority.logout import logout
from lastcall.authority.sessions import list_sessions
from lastcall.authority.subjects import add_subjects, change_subject, taken_names
from lastcall.control.accounts import BadLines, Line, read_lines, subject_of
from lastcall.control.applications import OF_APPLICATIONS
from lastcall.control.backups import OF_BACKUPS
from lastcall.control.keys import OF_KEYS
from lastcall.control.masses import OF_MASSES
from lastcall.control.parameters import ORIGIN, Operation, Parameters, caller_for
from lastcall.control.records import Result, receipt_record, session_record, user_record
from lastcall.domain.access import Caller, operator
from lastcall.domain.errors import AuthorityError, Invalid, NotFound
from lastcall.domain.logout import OfDialect, OfSubject, OfTenant, OneSession, Scope
from lastcall.domain.subject import Subject
from lastcall.domain.token import digest_password
from lastcall.domain.types import DialectName, Kind, Serial, SessionId, TenantId
from lastcall.ports import Env, SessionQuery

AT_ONCE = 8
"""Passwords of an account file that are hashed side by side."""


async def run(env: Env, operation: str, parameters: Mapping[str, Any]) -> Result:
    """Raises `Invalid` for what does not exist, and whatever the verb raises."""
    try:
        act = OPERATIONS[operation]
        given = msgspec.convert(parameters, Parameters)
    except (KeyError, msgspec.ValidationError) as error:
        raise Invalid("operation", "is not one this version knows") from error
    return await act(env, given)


async def import_users(env: Env, given: Parameters) -> Result:
    """All lines or none: everything is checked before anything is written."""
    lines = read_lines(given.text, caller_for(env, given).tenant, tuple(env.policies))
    await _refuse_taken(env, lines)
    gate = asyncio.Semaphore(AT_ONCE)

    async def made(line: Line) -> Subject:
        async with gate:
            return await subject_of(env, line.account)

    subjects = sorted(await asyncio.gather(*map(made, lines)), key=lambda one: one.tenant)
    added: dict[str, int] = {}
    for tenant, group in groupby(subjects, key=lambda one: one.tenant):
        rows = tuple(group)
        try:
            await add_subjects(env, operator(tenant, ORIGIN), rows)
        except AuthorityError as error:
            if not added:
                raise
            raise Partial(f"added to {', '.join(added)}; not to {tenant}") from error
        added[tenant] = len(rows)
    return {"added": sum(added.values()), "tenants": added}


class Partial(AuthorityError):
    """Some of it is done and some is not; the text says which."""

    code = "partial"


async def _refuse_taken(env: Env, lines: Sequence[Line]) -> None:
    taken: set[tuple[str, str]] = set()
    for tenant in {line.account.tenant for line in lines}:
        names = [line.account.username for line in lines if line.account.tenant == tenant]
        found = await taken_names(env, operator(TenantId(tenant), ORIGIN), names)
        taken.update((tenant, name) for name in found)
    problems = [
        (line.number, "username: is taken")
        for line in lines
        if (line.account.tenant, line.account.username) in taken
    ]
    if problems:
        raise BadLines(problems)


async def list_users(env: Env, given: Parameters) -> Result:
    rows = await accounts(env, caller_for(env, given), given.after, given.limit)
    more = rows[-1].username if rows and len(rows) == given.limit else None
    return {"users": [user_record(row) for row in rows], "next": more}


async def enable(env: Env, given: Parameters) -> Result:
    return await _change(env, given, lambda subject: replace(subject, enabled=True))


async def disable(env: Env, given: Parameters) -> Result:
    return await _change(env, given, lambda subject: replace(subject, enabled=False))


async def set_password(env: Env, given: Parameters) -> Result:
    if not given.password:
        raise Invalid("password", "must not be empty")
    await any_account(env, caller_for(env, given), given.user)
    encoded = await env.passwords.hash(digest_password(given.password))
    return await _change(env, given, lambda subject: replace(subject, password_hash=encoded))


async def _change(env: Env, given: Parameters, change: Callable[[Subject], Subject]) -> Result:
    caller = caller_for(env, given)
    subject = await any_account(env, caller, given.user)
    done = await change_subject(env, caller, subject.id, change)
    after = await any_account(env, caller, subject.id)
    return {"user": user_record(after), "sessions_ended": len(done.ended) if done else 0}


async def sessions(env: Env, given: Parameters) -> Result:
    caller = caller_for(env, given)
    subject = (await any_account(env, caller, given.user)).id if given.user else None
    query = SessionQuery(
        live_at=None if given.ended else env.clock.now(),
        subject=subject,
        dialect=DialectName(given.dialect) if given.dialect else None,
        kind=_kind(given.kind),
        address=given.address or None,
        text=given.text,
        before=None if given.before is None else Serial(given.before),
        limit=given.limit,
    )
    page = await list_sessions(env, caller, query)
    owners = await accounts_of(env, caller, [one.subject for one in page.sessions])
    names = {owner.id: owner.username for owner in owners.values()}
    rows = [session_record(one, names.get(one.subject, "")) for one in page.sessions]
    return {"sessions": rows, "total": page.total, "next": page.next}


async def end_sessions(env: Env, given: Parameters) -> Result:
    """Each by itself: what is found is ended, what is not is named."""
    caller = caller_for(env, given)
    ended: list[Result] = []
    missing: list[str] = []
    for one in dict.fromkeys(given.sessions):
        try:
            done = await logout(env, caller, OneSession(session=SessionId(one)), given.reason)
        except NotFound:
            missing.append(one)
        else:
            ended.append(receipt_record(done))
    return {"receipts": ended, "not_found": missing}


async def log_out(env: Env, given: Parameters) -> Result:
    caller = caller_for(env, given)
    return receipt_record(await logout(env, caller, await _scope(env, caller, given), given.reason))


async def _scope(env: Env, caller: Caller, given: Parameters) -> Scope:
    dialect = DialectName(given.dialect) if given.dialect else None
    if given.session:
        return OneSession(session=SessionId(given.session))
    if given.user:
        return OfSubject(subject=(await any_account(env, caller, given.user)).id, dialect=dialect)
    if given.everyone:
        return OfTenant()
    if dialect is None:
        raise Invalid("scope", "must be a user, a session, a dialect or everyone")
    return OfDialect(dialect=dialect)


OPERATIONS: Mapping[str, Operation] = {
    "users.import": import_users,
    "users.list": list_users,
    "users.enable": enable,
    "users.disable": disable,
    "users.set-password": set_password,
    "sessions.list": sessions,
    "sessions.end": end_sessions,
    "logout": log_out,
    **OF_APPLICATIONS,
    **OF_MASSES,
    **OF_KEYS,
    **OF_BACKUPS,
}


def _kind(text: str) -> Kind | None:
    try:
        return Kind(text) if text else None
    except ValueError as error:
        raise Invalid("kind", f"must be one of {', '.join(Kind)}") from error


READING = frozenset(
    {
        "users.list",
        "sessions.list",
        "apps.list",
        "apps.deliveries",
        "plans.list",
        "receipts.show",
        "receipts.sign",
        "keys.list",
    }
)
"""Operations that change nothing; a watcher asks the same many times a second."""
