"""Mass logouts by criteria: shown first, ended as shown, or planned for later."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from lastcall.cli.asking import Where, confirm, count, operate, read_text
from lastcall.cli.output import Exit, Stop, put_json, put_table, say
from lastcall.cli.waiting import watch
from lastcall.control.records import Result
from lastcall.domain.types import Instant, instant_of
from lastcall.settings import parse_span

HERE = Where()
Several = Annotated[tuple[str, ...], Parameter(negative=())]
SHOWN = ("PREVIEW", "USERS", "SESSIONS", "APPLICATIONS", "CANNOT BE TOLD", "GOOD UNTIL")
PLANNED = ("PLAN", "STATE", "START", "USERS", "SESSIONS", "BY", "APPROVED BY", "RECEIPT", "REASON")

plans = App(name="plans", help="Mass logouts that wait: list, approve, cancel them.")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Criteria:
    """All that are given must hold; of one that is given several times, any."""

    client: Several = ()
    """Sessions this application has joined: its name or id."""

    role: Several = ()
    """Of accounts with this role."""

    group: Several = ()
    """Of accounts in this group."""

    network: Several = ()
    """Begun from this address, or from an address in this CIDR block."""

    country: Several = ()
    """Begun from this country: its ISO 3166 code. Needs a GeoIP file in the configuration."""

    device: str | None = None
    """With this in what the browser or program says it is."""

    older_than: str | None = None
    """Begun longer ago than this: 90s, 30m, 12h, 14d."""

    idle_for: str | None = None
    """Not used for longer than this."""

    factor: str | None = None
    """Proved with this factor: password, totp, email or backup-code."""

    without_factor: str | None = None
    """Not proved with this factor."""

    users: Annotated[Path | None, Parameter(allow_leading_hyphen=True)] = None
    """Of the accounts in this file, a username or id on each line; - is standard input."""

    @property
    def given(self) -> bool:
        return self != Criteria()

    @property
    def empty(self) -> bool:
        """Whether any was given without a value: that must not make the set larger."""
        one = (self.device, self.older_than, self.idle_for, self.factor, self.without_factor)
        several = (*self.client, *self.role, *self.group, *self.network, *self.country)
        return any(value is not None and not value.strip() for value in (*one, *several))


def mass(
    where: Where,
    criteria: Criteria,
    *,
    user: str | None,
    dialect: str | None,
    preview: bool,
    at: str | None,
    reason: str,
    wait: int | None,
    yes: bool,
) -> Exit:
    """Show the set, and end exactly that unless the showing was all that was wanted.

    `wait` is for how many seconds to watch what becomes of it, if at all.
    """
    if criteria.empty:
        raise Stop("an option has no value", Exit.USAGE)
    start = None if at is None else _instant(at)
    if not preview and not reason.strip():
        raise Stop("a logout by criteria needs a --reason", Exit.USAGE)
    shown = operate(where, "logout.preview", about=_about(criteria, user, dialect))
    _warn(shown)
    if preview or not shown["sessions"]:
        return _previewed(where, shown)
    if not where.json:
        _previewed(where, shown)
    whom = f"{count(shown['users'], 'account')} out of {count(shown['sessions'], 'session')}"
    confirm(f"This logs {whom}{f' at {at}' if at else ''}.", yes=yes)
    done = operate(where, "logout.previewed", preview=shown["preview"], reason=reason, start=start)
    if done["receipt"] and wait is not None:
        return watch(where, done["receipt"]["receipt"], wait)
    if where.json:
        put_json({"preview": shown, **done})
    elif done["plan"]:
        _put_plans([done["plan"]])
    else:
        _put_done(done)
    return Exit.OK


@plans.command(name="list")
def list_plans(*, where: Where = HERE) -> Exit:
    """List the mass logouts that wait, and those that have waited."""
    result = operate(where, "plans.list")
    if where.json:
        put_json(result)
    else:
        _put_plans(result["plans"])
    return Exit.OK


@plans.command
def approve(plan: str, /, *, where: Where = HERE) -> Exit:
    """Be the second person whose word a mass logout waits for.

    Parameters
    ----------
    plan
        What `lastcall plans list` shows; not one of the operator's own.
    """
    return _changed(where, operate(where, "plans.approve", plan=plan))


@plans.command
def cancel(plan: str, /, *, where: Where = HERE) -> Exit:
    """Call a mass logout off, until it has started.

    Parameters
    ----------
    plan
        What `lastcall plans list` shows.
    """
    return _changed(where, operate(where, "plans.cancel", plan=plan))


def _about(criteria: Criteria, user: str | None, dialect: str | None) -> dict[str, Any]:
    listed = read_text(criteria.users).removeprefix("\ufeff") if criteria.users else ""
    users = [line.strip() for line in listed.splitlines() if line.strip()]
    if criteria.users and not users:
        raise Stop(f"{criteria.users} names nobody", Exit.USAGE)
    return {
        "users": [*users, *([user] if user else [])],
        "apps": criteria.client,
        "roles": criteria.role,
        "groups": criteria.group,
        "networks": criteria.network,
        "countries": criteria.country,
        "device": criteria.device or "",
        "dialects": [dialect] if dialect else [],
        "older_than": _span("--older-than", criteria.older_than),
        "idle_for": _span("--idle-for", criteria.idle_for),
        "factor": criteria.factor,
        "without_factor": criteria.without_factor,
    }


def _span(option: str, text: str | None) -> int | None:
    try:
        return None if text is None else int(parse_span(text))
    except ValueError as error:
        raise Stop(f"{option}: expected a time such as 90s, 30m, 12h or 14d", Exit.USAGE) from error


def _instant(text: str) -> Instant:
    try:
        return instant_of(text)
    except ValueError as error:
        wanted = "a time such as 2026-11-21T05:00:00Z or 2026-11-21T06:00:00+01:00"
        raise Stop(f"--at: expected {wanted}", Exit.USAGE) from error


def _warn(shown: Result) -> None:
    for name in shown["unknown_users"]:
        say(f"no such account: {name}")
    if shown["self_included"]:
        say("your own session is among them")
    if shown["last_admin"]:
        say("every administrator is among them")
    if not shown["sessions"]:
        say("no live session is like that; nothing was done")


def _previewed(where: Where, shown: Result) -> Exit:
    if where.json:
        put_json({"preview": shown})
    else:
        keys = ("preview", "users", "sessions", "applications", "cannot_be_told", "expires")
        put_table(SHOWN, [[shown[key] for key in keys]])
    return Exit.OK


def _put_done(done: Result) -> None:
    receipt, drift = done["receipt"], done["drift"]
    rest = "" if receipt["complete"] else "; the rest is refused already and follows"
    ended = count(receipt["sessions_ended"], "session") + rest
    put_table(
        ("RECEIPT", "ENDED", "ENDED SINCE", "NEW SINCE"),
        [(receipt["receipt"], ended, drift["ended_since"], drift["new_since"])],
    )


def _changed(where: Where, result: Result) -> Exit:
    if where.json:
        put_json(result)
    else:
        _put_plans([result["plan"]])
    return Exit.OK


def _put_plans(rows: list[Result]) -> None:
    keys = ("plan", "state", "start", "users", "sessions", "by", "approved_by", "receipt", "reason")
    put_table(PLANNED, [[row[key] for key in keys] for row in rows])
