"""`lastcall migrate`: the schema of the store."""

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from lastcall.cli.asking import CONFIG, load
from lastcall.cli.operators import Flag
from lastcall.cli.output import Exit, Stop, put, put_json
from lastcall.main import CannotStart, schema


def migrate(
    *,
    check: Annotated[bool, Flag] = False,
    up: Annotated[bool, Flag] = False,
    config: Annotated[Path, Parameter(env_var=CONFIG)],
    json: Annotated[bool, Flag] = False,
) -> Exit:
    """Tell which schema the store has, or bring it up to date.

    Nodes of the version before may go on running while an additive step is taken.

    Parameters
    ----------
    check
        Tell only; exit 1 unless this version can use the store as it is.
    up
        Take the missing steps.
    config
        The configuration, a TOML file.
    json
        As JSON.
    """
    if check == up:
        raise Stop("say either --check or --up", Exit.USAGE)
    try:
        store, found = asyncio.run(schema(load(config), up=up))
    except CannotStart as error:
        raise Stop(str(error)) from error
    if json:
        put_json({"store": store, **asdict(found)})
    else:
        put(f"{store}: schema {found.version}, this version of Lastcall makes {found.newest}")
        steps = ", ".join(map(str, found.taken))
        put(f"steps taken: {steps}" if steps else found.why or "nothing to do")
    return Exit.ERROR if found.why else Exit.OK
