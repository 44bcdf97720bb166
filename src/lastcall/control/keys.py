"""Operations about the signing keys: shown by their public halves, and turned."""

from collections.abc import Mapping

from lastcall.authority.keys import rotate_keys
from lastcall.control.parameters import Operation, Parameters, caller_for
from lastcall.control.records import Result
from lastcall.ports import Env


async def list_keys(env: Env, _given: Parameters) -> Result:
    return dict(env.signer.jwks())


async def rotate(env: Env, given: Parameters) -> Result:
    await rotate_keys(env, caller_for(env, given), given.text or None)
    return dict(env.signer.jwks())


OF_KEYS: Mapping[str, Operation] = {"keys.list": list_keys, "keys.rotate": rotate}
