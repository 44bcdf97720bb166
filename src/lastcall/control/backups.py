"""The operation that copies the store."""

from collections.abc import Mapping
from pathlib import Path

from lastcall.authority.backup import back_up
from lastcall.control.parameters import Operation, Parameters, caller_for
from lastcall.control.records import Result, backup_record
from lastcall.domain.errors import Invalid
from lastcall.ports import Env


async def create(env: Env, given: Parameters) -> Result:
    """`text` is the folder, from the root: the server is somewhere else than who asks."""
    if not Path(given.text).is_absolute():
        raise Invalid("folder", "must be a path from the root")
    return backup_record(await back_up(env, caller_for(env, given), given.text))


OF_BACKUPS: Mapping[str, Operation] = {"backup.create": create}
