"""Receipts: what became of a logout."""

from lastcall.authority.refusals import refusals
from lastcall.authority.standing import standing
from lastcall.domain.access import Caller, Permission
from lastcall.domain.audit import Action
from lastcall.domain.errors import NotFound
from lastcall.domain.logout import Receipt
from lastcall.domain.types import ReceiptId
from lastcall.ports import Env


async def receipt(env: Env, caller: Caller, id: ReceiptId) -> Receipt:
    """Who asked may read it, and who may read others'; to everybody else it does not exist."""
    async with (
        refusals(env, caller, Action.LIST, f"receipt:{id}"),
        env.store.transaction(caller.tenant) as tx,
    ):
        caller = await standing(tx, caller, env.clock.now())
        found = await tx.receipt(id)
        others = Permission.RECEIPT_READ_OTHERS in caller.role.permissions
        if found is None or not (others or found.revocation.by == caller.subject):
            raise NotFound("no such receipt")
        return found
