"""The operator's commands about applications and receipts."""

import json as json_text
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from lastcall.cli.asking import Where, count, operate, read_text
from lastcall.cli.operators import HERE, Flag, Limit, pages
from lastcall.cli.output import Exit, Stop, put, put_json, put_table, say
from lastcall.cli.waiting import COLUMNS, USUAL_WAIT, rows, watch
from lastcall.settings import parse_span

apps = App(name="apps", help="Applications: list, add, test, and what they are owed.")
receipts = App(name="receipts", help="Receipts: what became of a logout.")
Pairs = Annotated[tuple[str, ...], Parameter(negative=())]


@apps.command(name="list")
def list_apps(*, where: Where = HERE) -> Exit:
    """List the applications of a tenant."""
    found = operate(where, "apps.list")["apps"]
    if where.json:
        put_json({"apps": found})
        return Exit.OK
    columns = ("NAME", "CONNECTOR", "CAN", "NAMED BY", "OWNER", "ENABLED", "FROM")
    put_table(
        columns,
        [
            (
                one["name"],
                one["connector"],
                one["can"],
                one["naming"],
                one["owner"],
                one["enabled"],
                "configuration" if one["declared"] else "by hand",
            )
            for one in found
        ],
    )
    return Exit.OK


@apps.command
def add(
    name: str,
    /,
    *,
    connector: str = "",
    set: Pairs = (),
    secret: Pairs = (),
    owner: str = "",
    can: str = "session",
    naming: str = "sid",
    account: str = "username",
    timeout: str = "5s",
    concurrency: int = 8,
    outlives: str = "8h",
    always: Annotated[bool, Flag] = False,
    private: Annotated[bool, Flag] = False,
    where: Where = HERE,
) -> Exit:
    """Add an application by hand.

    Parameters
    ----------
    name
        Its name in the tenant.
    connector
        How it is told.
    set
        A setting of the connector, KEY=VALUE; as often as needed.
    secret
        A secret of the connector, KEY=SOURCE: file:PATH, env:VARIABLE, or - for standard input.
    owner
        Whom to ask about it.
    can
        session, subject, new-tokens or none.
    naming
        sid, sub or both.
    account
        username, email or subject.
    timeout
        How long one try may take.
    concurrency
        Tries at once.
    outlives
        How long its own sessions go on without a notice.
    always
        Tell it of every ended session, joined or not.
    private
        Allow http and addresses that are not public.
    """
    about = {
        "name": name,
        "connector": connector,
        "settings": dict(_pair(one) for one in set),
        "owner": owner,
        "can": can,
        "naming": naming,
        "account": account,
        "timeout": _span("--timeout", timeout),
        "concurrency": concurrency,
        "outlives": _span("--outlives", outlives),
        "always": always,
        "private": private,
    }
    secrets = {key: _source(source) for key, source in map(_pair, secret)}
    result = operate(where, "apps.add", about=about, secrets=secrets)
    if where.json:
        put_json(result)
    else:
        put(f"{result['app']['name']} added as {result['app']['id']}")
    return Exit.OK


@apps.command(name="test")
def try_app(app: str, /, *, where: Where = HERE) -> Exit:
    """Send an application a real notice that can end nothing, and explain its answer.

    Parameters
    ----------
    app
        Name or id.
    """
    result = operate(where, "apps.test", app=app)
    if where.json:
        put_json(result)
    else:
        answer = f"status {result['status']}" if result["status"] else result["error"]
        put(f"{result['app']}: {result['means']} ({answer}, {result['took_ms']} ms)")
    return Exit.OK if result["outcome"] == "done" else Exit.ERROR


@apps.command
def deliveries(app: str, /, *, state: str = "", limit: Limit = 100, where: Where = HERE) -> Exit:
    """List what an application is or was owed.

    Parameters
    ----------
    app
        Name or id.
    state
        In this state: queued, sent, acknowledged, verified, refused, unreachable, cannot-be-told.
    limit
        At most so many; 0 for all.
    """
    wanted = {"app": app, "state": state}
    found = pages("deliveries", "apps.deliveries", where, limit, "after", wanted)
    if where.json:
        put_json({"deliveries": found})
        return Exit.OK
    columns = ("ID", "RECEIPT", "ACCOUNT", "STATE", "TRIES", "NEXT TRY", "LAST ERROR")
    keys = ("id", "receipt", "account", "state", "tries", "next_try", "last_error")
    put_table(columns, [[row.get(key) for key in keys] for row in found])
    return Exit.OK


@apps.command
def redeliver(what: str, /, *, where: Where = HERE) -> Exit:
    """Try a delivery again from now on, or all of an application that have not ended well.

    Parameters
    ----------
    what
        A delivery's id, or an application's name or id.
    """
    named = {"delivery": what} if what.startswith("d_") else {"app": what}
    result = operate(where, "apps.redeliver", **named)
    for one in result["busy"]:
        say(f"a try is under way: {one}")
    if where.json:
        put_json(result)
    else:
        number = len(result["redelivered"])
        put(f"{count(number, 'notice')} {'is' if number == 1 else 'are'} tried again")
    return Exit.PARTIAL if result["busy"] else Exit.OK


@receipts.command
def show(
    receipt: str,
    /,
    *,
    wait: Annotated[bool, Flag] = False,
    within: Limit = USUAL_WAIT,
    where: Where = HERE,
) -> Exit:
    """Show what became of a logout, application by application.

    Parameters
    ----------
    receipt
        Its id.
    wait
        Watch every application from queued to verified or to what is in its way.
    within
        Watch for so many seconds at most.
    """
    if wait:
        return watch(where, receipt, within)
    shown = operate(where, "receipts.show", receipt=receipt, limit=1_000)
    if where.json:
        put_json(shown)
        return Exit.OK
    put_table(COLUMNS, rows(shown))
    put()
    put(str(shown["verdict"]))
    put(f"{shown['mode']}: {'; '.join(map(_reached, shown['nodes']))}")
    return Exit.OK


def _reached(node: Mapping[str, str]) -> str:
    """`applied at node a at 2026-...`."""
    if "applied_at" in node:
        return f"applied at node {node['node']} at {node['applied_at']}"
    if "lapsed_at" in node:
        return f"node {node['node']} could answer nothing from {node['lapsed_at']} on"
    return f"{'not yet ' if 'pending' in node else ''}applied at node {node['node']}"


@receipts.command
def save(receipt: str, /, *, folder: Path = Path(), where: Where = HERE) -> Exit:
    """Save a finished receipt, signed, and the keys to check it with, for `lastcall verify`.

    Parameters
    ----------
    receipt
        Its id.
    folder
        Where to; here unless given.
    """
    result = operate(where, "receipts.sign", receipt=receipt)
    signed, keys = folder / f"{receipt}.jws", folder / "jwks.json"
    try:
        signed.write_text(result["signed"] + "\n", encoding="ascii")
        keys.write_text(json_text.dumps(result["jwks"], indent=1) + "\n", encoding="ascii")
    except OSError as error:
        why = (error.strerror or "no reason").lower()
        raise Stop(f"{error.filename} cannot be written: {why}") from error
    if where.json:
        put_json({"receipt": str(signed), "jwks": str(keys)})
    else:
        put(str(signed))
        put(str(keys))
    return Exit.OK


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise Stop("expected KEY=VALUE", Exit.USAGE)
    return key, value


def _source(source: str) -> str:
    """A secret from where it is: never from the command line, which everybody can read."""
    kind, _, name = source.partition(":")
    if source == "-" or kind == "file":
        text = read_text(Path("-" if source == "-" else name))
        return text.removesuffix("\n").removesuffix("\r")
    if kind == "env":
        try:
            return os.environ[name]
        except KeyError as error:
            raise Stop(f"the variable {name} is not set", Exit.USAGE) from error
    raise Stop("a secret comes from file:PATH, env:VARIABLE or -", Exit.USAGE)


def _span(option: str, text: str) -> Any:
    try:
        return int(parse_span(text))
    except ValueError as error:
        raise Stop(f"{option}: expected a duration such as 5s or 8h", Exit.USAGE) from error
