"""`lastcall backup`: copies of the store made, judged and put back."""

from pathlib import Path
from typing import Annotated

from cyclopts import App

from lastcall.cli.asking import Where, confirm, load, operate, read_text
from lastcall.cli.operators import Flag
from lastcall.cli.output import Exit, Stop, put, put_json, put_table, say
from lastcall.control.records import Result, backup_record
from lastcall.main.backups import Verdict, own_keys, replaces, restore_backup, verify_backup
from lastcall.settings import Configured

HERE = Where()
FACTS = (
    ("made", "made"),
    ("by version", "version"),
    ("schema", "schema"),
    ("bytes", "bytes"),
    ("commits", "commits"),
)

backup = App(name="backup", help="Backups: make one while serving, judge one, put one back.")


@backup.command
def create(folder: Path, /, *, where: Where = HERE) -> Exit:
    """Copy the store, while it is in use, into a new folder.

    The keys are not in it: without them what is sealed in it cannot be opened, with them anybody
    could. Keep them elsewhere.

    Parameters
    ----------
    folder
        The folder to make.
    """
    settings = load(where.config)
    place = folder.absolute()
    result = operate(where, "backup.create", text=str(place))
    _put(where, result)
    say(f"{place} is made; without these files it is of no use, and they are not in it:")
    for file in _keys(settings):
        say(f"  {file}")
    return Exit.OK


@backup.command
def verify(folder: Path, /, *, jwks: Path | None = None, where: Where = HERE) -> Exit:
    """Check everything in a backup, without a server and without changing anything.

    Parameters
    ----------
    folder
        The backup.
    jwks
        The public keys, had from a place you trust; those of the configuration unless given.
    """
    verdict = verify_backup(folder, _trusted(where, jwks))
    _show(where, verdict)
    return Exit.ERROR if verdict.wrong else Exit.OK


@backup.command
def restore(
    folder: Path,
    /,
    *,
    replace: Annotated[bool, Flag] = False,
    yes: Annotated[bool, Flag] = False,
    jwks: Path | None = None,
    where: Where = HERE,
) -> Exit:
    """Put a backup where the store belongs, while no server runs. Every session in it ends.

    Parameters
    ----------
    folder
        The backup.
    replace
        Take the place of the store that is there, which is kept under another name.
    yes
        Do not ask.
    jwks
        The public keys, had from a place you trust; those of the configuration unless given.
    """
    settings, keys = load(where.config), _trusted(where, jwks)
    if replaces(settings) and not replace:
        raise Stop(f"{settings.store} exists already. Say --replace to keep it aside.", Exit.USAGE)
    confirm("This logs out everybody in every tenant.", yes=yes)
    done = restore_backup(settings, folder, keys, replace=replace)
    if where.json:
        aside = None if done.aside is None else str(done.aside)
        put_json({"backup": backup_record(done.manifest), "aside": aside})
    if done.aside is not None:
        say(f"the store that was there is {done.aside}")
    say(f"{settings.store} is restored; every session in it ends when it is first opened")
    return Exit.OK


def _trusted(where: Where, jwks: Path | None) -> str:
    return own_keys(load(where.config)) if jwks is None else read_text(jwks)


def _keys(settings: Configured) -> tuple[Path, Path]:
    return settings.key_file.absolute(), settings.signing_keys.absolute()


def _show(where: Where, verdict: Verdict) -> None:
    found = None if verdict.manifest is None else backup_record(verdict.manifest)
    if where.json:
        put_json(
            {
                "good": not verdict.wrong,
                "checked": verdict.checked,
                "wrong": verdict.wrong,
                "backup": found,
                "issuer": verdict.issuer,
            }
        )
        return
    if found is not None:
        _put(where, found)
    for line in verdict.checked:
        put(f"good: {line}")
    if verdict.wrong:
        say(f"WRONG: {verdict.wrong}")
    put("NOT verified" if verdict.wrong else "verified")


def _put(where: Where, found: Result) -> None:
    if where.json:
        put_json(found)
        return
    rows = [(name, found[member]) for name, member in FACTS]
    rows += [("audit records", found["audit"]["seq"])]
    rows += [(f"rows of {name}", count) for name, count in found["rows"].items() if count]
    put_table(("THE BACKUP", "SAYS"), rows)
