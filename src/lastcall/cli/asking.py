"""Putting an operation to the server that has the store open, or doing it here when none has."""

import asyncio
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from getpass import getpass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from lastcall.cli.output import EXIT_OF, Exit, Stop, say
from lastcall.control.channel import NobodyThere, Refused, ask, refused, socket_of
from lastcall.control.records import Result
from lastcall.domain.errors import AuthorityError, StoreUnavailable
from lastcall.main import CannotStart, configured, offline
from lastcall.settings import Configured, SettingsWrong

CONFIG = "LASTCALL_CONFIG"
PASSWORD = "LASTCALL_PASSWORD"
USUAL_CONFIG = "lastcall.toml"


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Where:
    """What every operator's command takes."""

    config: Annotated[Path | None, Parameter(env_var=CONFIG)] = None
    """The configuration of the server; ./lastcall.toml unless given here or in LASTCALL_CONFIG."""

    tenant: str = ""
    """The tenant to act in; `default` unless given, or the only one there is."""

    json: Annotated[bool, Parameter(negative=())] = False
    """Write JSON."""


def load(config: Path | None) -> Configured:
    """Checked settings; stops with everything that is wrong with them."""
    path = config or Path(USUAL_CONFIG)
    try:
        return configured(path, os.environ)
    except SettingsWrong as wrong:
        for problem in wrong.problems:
            say(f"{path}: {problem}" if problem.key or problem.where else str(problem))
        raise Stop(f"the configuration has {count(len(wrong.problems), 'error')}") from wrong


def operate(where: Where, operation: str, **parameters: Any) -> Result:
    settings = load(where.config)
    given = {"tenant": where.tenant, **parameters}
    try:
        try:
            return ask(socket_of(settings.own), operation, given)
        except NobodyThere:
            return asyncio.run(_here(settings, operation, given))
    except Refused as no:
        for line, text in no.problems:
            say(f"line {line}: {text}")
        raise Stop(no.text, EXIT_OF.get(no.code, Exit.ERROR)) from no
    except AuthorityError as error:
        raise Stop(error.detail or str(error)) from error
    except CannotStart as error:
        raise Stop(str(error)) from error
    except OSError as error:
        raise Stop(
            f"the server cannot be asked: {(error.strerror or 'no reason').lower()}"
        ) from error


def ask_server(where: Where, operation: str, **parameters: Any) -> Result:
    """Only of a server that runs: for what goes on there and nowhere else.

    Raises `NobodyThere`.
    """
    settings = load(where.config)
    try:
        return ask(socket_of(settings.own), operation, {"tenant": where.tenant, **parameters})
    except Refused as no:
        raise Stop(no.text, EXIT_OF.get(no.code, Exit.ERROR)) from no
    except (StoreUnavailable, OSError) as error:
        raise NobodyThere from error


async def _here(settings: Configured, operation: str, parameters: Mapping[str, Any]) -> Result:
    try:
        return await offline(settings, operation, parameters)
    except AuthorityError as error:
        raise refused(error) from error


def new_password(file: Path | None) -> str:
    """From a file, LASTCALL_PASSWORD, a prompt, or the first line of standard input."""
    if file is not None:
        return _one_line(read_text(file))
    if PASSWORD in os.environ:
        return os.environ[PASSWORD]
    if not sys.stdin.isatty():
        return _one_line(sys.stdin.read())
    password = getpass("New password: ")
    if getpass("Once more: ") != password:
        raise Stop("the two are not the same")
    return password


def read_text(file: Path) -> str:
    """A file, or standard input for `-`."""
    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except OSError as error:
        raise Stop(f"{file} cannot be read: {(error.strerror or 'no reason').lower()}") from error
    except UnicodeDecodeError as error:
        raise Stop(f"{file} cannot be read: not UTF-8") from error


def confirm(question: str, *, yes: bool) -> None:
    """Stops unless `--yes` was given or a person at the terminal types it."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise Stop(f"{question} Say --yes.", Exit.USAGE)
    say(f"{question} Type yes to go on:")
    if sys.stdin.readline().strip() != "yes":
        raise Stop("nothing was done")


def count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _one_line(text: str) -> str:
    password = text.removesuffix("\n").removesuffix("\r")
    if not password or "\n" in password:
        raise Stop("expected a password on one line", Exit.USAGE)
    return password
