"""Keys: who may turn to the next signing keys, and that it is written down."""

from lastcall.authority.refusals import refusals
from lastcall.domain.access import Caller
from lastcall.domain.audit import Action, event_by
from lastcall.domain.errors import Denied, Invalid
from lastcall.ports import Env


async def rotate_keys(env: Env, caller: Caller, alg: str | None = None) -> None:
    """Sign with the next key of `alg`, or of every algorithm; for the operator alone.

    What was signed before stays verifiable. Raises `Invalid` for an algorithm without keys.
    """
    target = f"keys:{alg or 'all'}"
    async with refusals(env, caller, Action.KEYS_ROTATED, target):
        if not caller.operator:
            raise Denied("for the operator alone")
        try:
            await env.signer.rotate(alg)
        except ValueError as error:
            raise Invalid("alg", "must be RS256, ES256 or EdDSA") from error
        async with env.store.transaction(caller.tenant) as tx:
            await tx.record(event_by(caller, env.clock.now(), Action.KEYS_ROTATED, target=target))
