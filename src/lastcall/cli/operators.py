"""The operator's commands: accounts, sessions, logouts."""

from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter
from cyclopts.validators import Number

from lastcall.cli.asking import Where, confirm, count, new_password, operate, read_text
from lastcall.cli.masses import Criteria, mass
from lastcall.cli.output import Exit, Stop, put, put_json, put_table, say
from lastcall.cli.waiting import USUAL_WAIT, watch
from lastcall.control.records import Result

PAGE = 500
Flag = Parameter(negative=())
Source = Annotated[Path, Parameter(allow_leading_hyphen=True)]
Limit = Annotated[int, Parameter(validator=Number(gte=0))]
HERE = Where()
EVERY = Criteria()

users = App(name="users", help="Accounts: import, list, disable, enable, set passwords.")
sessions = App(name="sessions", help="Sessions: list them, end them one by one.")


@users.command(name="import")
def import_users(file: Source, /, *, where: Where = HERE) -> Exit:
    """Add the accounts of FILE, one JSON object a line; all of them or none.

    Parameters
    ----------
    file
        The file, or - for standard input.
    """
    result = operate(where, "users.import", text=read_text(file))
    if where.json:
        put_json(result)
    else:
        for tenant, number in result["tenants"].items():
            put(f"{tenant}: {count(number, 'account')} added")
    return Exit.OK


@users.command(name="list")
def list_users(*, limit: Limit = 0, where: Where = HERE) -> Exit:
    """List the accounts of a tenant by username.

    Parameters
    ----------
    limit
        At most so many; 0 for all.
    """
    rows = pages("users", "users.list", where, limit, "after", {})
    if where.json:
        put_json({"users": rows})
        return Exit.OK
    columns = ("USERNAME", "ID", "NAME", "EMAIL", "ROLE", "GROUPS", "SECOND FACTORS", "ENABLED")
    keys = ("username", "id", "name", "email", "role", "groups", "second_factors", "enabled")
    put_table(columns, [[row[key] for key in keys] for row in rows])
    return Exit.OK


@users.command
def disable(user: str, /, *, where: Where = HERE) -> Exit:
    """Disable an account and end its sessions.

    Parameters
    ----------
    user
        Username or id.
    """
    return _changed(where, operate(where, "users.disable", user=user), "disabled")


@users.command
def enable(user: str, /, *, where: Where = HERE) -> Exit:
    """Enable an account; sessions that were ended stay ended.

    Parameters
    ----------
    user
        Username or id.
    """
    return _changed(where, operate(where, "users.enable", user=user), "enabled")


@users.command(name="set-password")
def set_password(user: str, /, *, password_file: Path | None = None, where: Where = HERE) -> Exit:
    """Set a password and end the account's sessions.

    The password comes from --password-file, from LASTCALL_PASSWORD, or from standard input: a
    command line can be read by every user of a machine.

    Parameters
    ----------
    user
        Username or id.
    password_file
        A file with the password on its only line.
    """
    password = new_password(password_file)
    result = operate(where, "users.set-password", user=user, password=password)
    return _changed(where, result, "has a new password")


@sessions.command(name="list")
def list_sessions(
    *,
    user: str = "",
    dialect: str = "",
    kind: str = "",
    address: str = "",
    search: str = "",
    ended: Annotated[bool, Flag] = False,
    limit: Limit = 100,
    where: Where = HERE,
) -> Exit:
    """List sessions, newest first.

    Parameters
    ----------
    user
        Of this account: username or id.
    dialect
        Begun on this wire.
    kind
        browser, non-browser or api.
    address
        From this address.
    search
        With this in device, system or id.
    ended
        Ended ones too.
    limit
        At most so many; 0 for all.
    """
    wanted = {
        "user": user,
        "dialect": dialect,
        "kind": kind,
        "address": address,
        "text": search,
        "ended": ended,
    }
    rows = pages("sessions", "sessions.list", where, limit, "before", wanted)
    if where.json:
        put_json({"sessions": rows})
        return Exit.OK
    columns = ("ID", "USER", "DIALECT", "ADDRESS", "DEVICE", "LAST SEEN", "EXPIRES", "ENDED")
    put_table(columns, [_session_row(row) for row in rows])
    return Exit.OK


@sessions.command
def end(*ids: str, reason: str = "", where: Where = HERE) -> Exit:
    """End sessions by their ids.

    Parameters
    ----------
    ids
        What `lastcall sessions list` shows.
    reason
        For the receipt and the audit trail.
    """
    if not ids:
        raise Stop("say which sessions", Exit.USAGE)
    result = operate(where, "sessions.end", sessions=ids, reason=reason)
    for one in result["not_found"]:
        say(f"no such session: {one}")
    if where.json:
        put_json(result)
    else:
        for receipt in result["receipts"]:
            _put_receipt(receipt)
    if not result["not_found"]:
        return Exit.OK
    return Exit.PARTIAL if result["receipts"] else Exit.NOT_FOUND


def logout(
    *,
    user: str | None = None,
    session: str | None = None,
    dialect: str | None = None,
    tenant_wide: Annotated[bool, Flag] = False,
    criteria: Criteria = EVERY,
    preview: Annotated[bool, Flag] = False,
    at: str | None = None,
    reason: str = "",
    wait: Annotated[bool, Flag] = False,
    within: Limit = USUAL_WAIT,
    yes: Annotated[bool, Flag] = False,
    where: Where = HERE,
) -> Exit:
    """End every session of an account, of a wire or of a tenant, or one session.

    With further criteria, with --preview or with --at it ends exactly the set it has shown.

    Parameters
    ----------
    user
        Everything this account has open; with --dialect only what it has open there.
    session
        This session alone.
    dialect
        Everything begun on this wire.
    tenant_wide
        Everybody in the tenant.
    preview
        Only show whom it would log out.
    at
        Begin at this time, such as 2026-11-21T05:00:00Z, and not now.
    reason
        For the receipt and the audit trail; needed with criteria.
    wait
        Watch every application from queued to verified or to what is in its way.
    within
        Watch for so many seconds at most.
    yes
        Do not ask, where many people are concerned.
    """
    scopes = [bool(user), bool(session), tenant_wide, bool(dialect) and not user]
    if "" in (user, session, dialect, at):
        raise Stop("an option has no value", Exit.USAGE)
    if criteria.given or preview or at:
        if session or not (criteria.given or any(scopes)):
            raise Stop("say whom by criteria, or --tenant-wide for everybody", Exit.USAGE)
        return mass(
            where,
            criteria,
            user=user,
            dialect=dialect,
            preview=preview,
            at=at,
            reason=reason,
            wait=within if wait else None,
            yes=yes,
        )
    if sum(scopes) != 1:
        raise Stop("say one of --user, --session, --dialect and --tenant-wide", Exit.USAGE)
    if tenant_wide or not (user or session):
        whom = f"on {dialect}" if dialect else "in the tenant"
        confirm(f"This logs out everybody {whom}.", yes=yes)
    result = operate(
        where,
        "logout",
        user=user or "",
        session=session or "",
        dialect=dialect or "",
        everyone=tenant_wide,
        reason=reason,
    )
    if wait:
        if not where.json:
            _put_receipt(result)
        return watch(where, result["receipt"], within)
    if where.json:
        put_json(result)
    else:
        _put_receipt(result)
    return Exit.OK


def pages(
    name: str, operation: str, where: Where, limit: int, mark: str, wanted: dict[str, Any]
) -> list[Result]:
    rows: list[Result] = []
    after: dict[str, Any] = {}
    while True:
        size = min(PAGE, limit - len(rows)) if limit else PAGE
        page = operate(where, operation, limit=size, **wanted, **after)
        rows.extend(page[name])
        if page["next"] is None or (limit and len(rows) >= limit):
            return rows
        after = {mark: page["next"]}


def _changed(where: Where, result: Result, what: str) -> Exit:
    if where.json:
        put_json(result)
    else:
        ended = count(result["sessions_ended"], "session")
        put_table(("USERNAME", "NOW", "ENDED"), [(result["user"]["username"], what, ended)])
    return Exit.OK


def _session_row(row: Result) -> list[Any]:
    device = " on ".join(filter(None, (row["device"], row["os"]))) or row["user_agent"]
    end = row["ended"]
    why = f"{end['why']} {end['at']}" if end else None
    user = row["username"] or row["subject"]
    times = (row["last_seen"], row["expires"])
    return [row["id"], user, row["dialect"], row["address"], device, *times, why]


def _put_receipt(receipt: Result) -> None:
    rest = "" if receipt["complete"] else "; the rest is refused already and follows"
    put_table(
        ("RECEIPT", "SCOPE", "ENDED"),
        [
            (
                receipt["receipt"],
                receipt["scope"],
                count(receipt["sessions_ended"], "session") + rest,
            )
        ],
    )
