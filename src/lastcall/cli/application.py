"""The application: every command, and how its end becomes an exit code."""

import asyncio
import os
import sys
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Annotated, Any

import uvloop
from cyclopts import App, CycloptsError, Parameter

from lastcall import __version__
from lastcall.cli.apps import apps, receipts
from lastcall.cli.asking import CONFIG, confirm, load
from lastcall.cli.backups import backup
from lastcall.cli.benching import bench
from lastcall.cli.keys import keys
from lastcall.cli.masses import plans
from lastcall.cli.migrating import migrate
from lastcall.cli.operators import Flag, logout, sessions, users
from lastcall.cli.output import Exit, Stop, put, put_json, say
from lastcall.cli.verifying import verify
from lastcall.demo import folder_of, prepare
from lastcall.main import CannotStart, StoreRestored, configured
from lastcall.main import accept_restored as accept
from lastcall.main import serve as run_server
from lastcall.settings import SettingsWrong

app = App(
    name="lastcall",
    help="A session authority: one place that knows who is logged in, and ends it everywhere.",
    help_epilogue="Exit codes: 0 ok, 1 error, 2 usage, 3 not found, 4 denied, 5 partly done.",
    version=__version__,
    default_parameter=Parameter(show_default=False),
)
app.command(users)
app.command(sessions)
app.command(logout)
app.command(plans)
app.command(keys)
app.command(backup)
app.command(apps)
app.command(receipts)
app.command(verify)
app.command(bench)
app.command(migrate)


@app.command
def serve(*, config: Annotated[Path, Parameter(env_var=CONFIG)]) -> int:
    """Serve until a signal asks to stop.

    Parameters
    ----------
    config
        The configuration, a TOML file.
    """
    return _ran(run_server(load(config)))


@app.command
def demo(*, host: str | None = None, port: int | None = None, data: Path | None = None) -> int:
    """Start a demonstration with accounts to try, and show how to.

    Parameters
    ----------
    host
        Listen here instead of on 127.0.0.1.
    port
        Listen here instead of on 8700.
    data
        Keep everything in this folder, for the next time too.
    """
    with folder_of(data) as folder:
        try:
            prepared = prepare(folder, host, port, put)
        except SettingsWrong as wrong:
            raise Stop(str(wrong)) from wrong
        return _ran(prepared.run())


@app.command(name="check-config")
def check_config(file: Path, /, *, json: Annotated[bool, Flag] = False) -> Exit:
    """Read a configuration and tell everything that is wrong with it.

    Parameters
    ----------
    file
        The configuration, a TOML file.
    json
        Write JSON.
    """
    problems = []
    try:
        configured(file, os.environ)
    except SettingsWrong as wrong:
        problems = list(wrong.problems)
    if json:
        fields = ("where", "key", "text", "nearest")
        put_json({"problems": [{name: getattr(one, name) for name in fields} for one in problems]})
    else:
        for problem in problems:
            put(f"{file}: {problem}")
        say(f"{file}: {len(problems)} wrong" if problems else f"{file}: nothing wrong")
    return Exit.ERROR if problems else Exit.OK


@app.command(name="accept-restored")
def accept_restored(
    *, config: Annotated[Path, Parameter(env_var=CONFIG)], yes: Annotated[bool, Flag] = False
) -> Exit:
    """Accept a database that was restored from a backup: every session in it ends.

    A server refuses to start on a database that is older than its witness, because sessions that
    have ended since would come back to life.

    Parameters
    ----------
    config
        The configuration, a TOML file.
    yes
        Do not ask.
    """
    settings = load(config)
    confirm("This logs out everybody in every tenant.", yes=yes)
    if asyncio.run(accept(settings)):
        say("every session has ended; the server may be started")
    else:
        say("the database is what its witness saw last; nothing was done")
    return Exit.OK


def _ran(server: Coroutine[Any, Any, int]) -> int:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(server)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and say how it ended."""
    try:
        code = app(
            sys.argv[1:] if arguments is None else list(arguments),
            exit_on_error=False,
            print_error=False,
            result_action="return_value",
        )
        return int(code or Exit.OK)
    except CycloptsError as error:
        say(f"lastcall: {error}")
        return Exit.USAGE
    except Stop as stop:
        say(f"lastcall: {stop}")
        return stop.code
    except StoreRestored as error:
        say(f"lastcall: {error}")
        say("Sessions that have ended may be live in it. `lastcall accept-restored` ends them all.")
        return Exit.ERROR
    except CannotStart as error:
        say(f"lastcall: {error}")
        return Exit.ERROR
    except KeyboardInterrupt:
        return 128 + 2
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.ERROR
