"""`lastcall bench`: what one node can do on this machine and this disk."""

import asyncio
from pathlib import Path
from typing import Annotated

import uvloop
from cyclopts import Parameter
from cyclopts.validators import Number

from lastcall.bench import Sizes, Unmeasured, measure
from lastcall.cli.asking import CONFIG, USUAL_CONFIG, load
from lastcall.cli.output import Exit, Stop, put_json, put_table, say

Flag = Parameter(negative=())


def bench(
    *,
    folder: Path | None = None,
    config: Annotated[Path | None, Parameter(env_var=CONFIG)] = None,
    sessions: Annotated[int, Parameter(validator=Number(gte=1_000, lte=10_000_000))] = 100_000,
    seconds: Annotated[int, Parameter(validator=Number(gte=1, lte=600))] = 5,
    json: Annotated[bool, Flag] = False,
) -> Exit:
    """Measure what one node can do here: checks, durable logouts, memory, the start.

    A server of its own is started on the loopback, with a store of its own in a temporary folder;
    the configured store is neither read nor written. Nothing is left behind.

    Parameters
    ----------
    folder
        Measure the disk this folder is on; the one the configured store is on unless given, or
        the current folder without a configuration.
    config
        The configuration that says where the store is.
    sessions
        How many sessions there are; 100000 unless given.
    seconds
        How long each figure is measured; 5 unless given.
    json
        Write JSON, with times in seconds and sizes in bytes.
    """
    where = folder or _beside_the_store(config)
    sizes = Sizes(sessions=sessions, seconds=seconds)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            report = runner.run(measure(where, sizes, say))
    except Unmeasured as error:
        raise Stop(str(error)) from error
    if json:
        put_json(report.values())
    else:
        put_table(["figure", "here", "what"], report.rows())
    return Exit.OK


def _beside_the_store(config: Path | None) -> Path:
    if config is None and not Path(USUAL_CONFIG).is_file():
        return Path.cwd()
    return load(config).store.parent
