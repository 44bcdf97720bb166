"""Backup: a copy of the whole store, described and signed, made while it is in use."""

import json

from lastcall import __version__
from lastcall.authority.refusals import refusals
from lastcall.domain.access import Caller
from lastcall.domain.audit import Action, event_by
from lastcall.domain.backup import BACKUP_TYP, Manifest, claims_of
from lastcall.domain.errors import Denied, Invalid
from lastcall.ports import Env, Vault


def fingerprint(vault: Vault) -> str:
    """What the key of a vault is recognised by."""
    return vault.mac("backup", "fingerprint")


async def back_up(env: Env, caller: Caller, to: str) -> Manifest:
    """Make the folder `to`, and tell what is in it. For the operator alone.

    On record before it has its name: no backup exists that is not. Raises `Invalid` for a store
    that is backed up by other means, or a folder that cannot be made.
    """
    target = f"backup:{to}"
    async with refusals(env, caller, Action.BACKED_UP, target):
        if not caller.operator:
            raise Denied("for the operator alone")
        if env.backups is None:
            raise Invalid("store", "is backed up with the tools of its database")
        async with env.backups.draft(to) as draft:
            copied, made = draft.copied, env.clock.now()
            manifest = Manifest(
                version=__version__, made=made, key=fingerprint(env.vault), copied=copied
            )
            claims = {
                "iss": env.signer.issuer,
                "iat": made // 1_000,
                "backup": claims_of(manifest),
            }
            signed = await env.signer.sign(claims, typ=BACKUP_TYP, alg="EdDSA")
            shown = {"backup": claims["backup"], "signed": signed}
            await draft.describe(json.dumps(shown, indent=1) + "\n")
            detail = {"seq": str(copied.seq), "sha256": copied.sha256}
            async with env.store.transaction(caller.tenant) as tx:
                event = event_by(caller, made, Action.BACKED_UP, target=target, detail=detail)
                await tx.record(event)
            await draft.publish()
    return manifest
