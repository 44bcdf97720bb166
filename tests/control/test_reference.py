"""Every command and every option of the command line has its entry in the reference."""

import re
from collections.abc import Iterator
from pathlib import Path

from cyclopts import App

from lastcall.cli.application import app
from lastcall.cli.output import Exit

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "cli.md").read_text()


def commands(of: App, path: str = "lastcall") -> Iterator[tuple[str, App]]:
    for name in of:
        if not name.startswith("-"):
            below = of[name]
            if below.default_command is not None:
                yield f"{path} {name}", below
            yield from commands(below, f"{path} {name}")


def entry(command: str) -> str:
    """The sections of a command, each with its heading first."""
    parts = re.split(r"^###? ", PAGE, flags=re.MULTILINE)
    return "".join(part for part in parts if f"`{command}" in part.partition("\n")[0])


def test_every_command_and_option() -> None:
    found = dict(commands(app))
    assert {"lastcall serve", "lastcall users import", "lastcall logout"} <= set(found)
    common = PAGE.partition("All of them take:")[2].partition("###")[0]
    missing = []
    for path, command in found.items():
        text = entry(path)
        options = {
            name
            for argument in command.assemble_argument_collection()
            for name in argument.names
            if name.startswith("--")
        }
        missing += [path] if not text else []
        missing += [f"{path} {one}" for one in options if one not in text and one not in common]
    assert not missing


def test_every_exit_code() -> None:
    told = [int(code) for code in re.findall(r"^\| (\d) \|", PAGE, re.MULTILINE)]
    assert told == [int(code) for code in Exit]
