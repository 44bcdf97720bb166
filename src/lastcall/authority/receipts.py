"""Receipts: what became of a logout, and the signed document about one that is finished."""

from collections import defaultdict
from collections.abc import Callable, Mapping

from lastcall.authority.refusals import refusals
from lastcall.authority.standing import standing
from lastcall.domain.access import Caller, Permission
from lastcall.domain.audit import Action
from lastcall.domain.delivery import DeliveryState
from lastcall.domain.errors import NotFound, Unfinished
from lastcall.domain.logout import Receipt, Spread
from lastcall.domain.proof import RECEIPT_TYP, line_of
from lastcall.domain.tally import NOT_WELL, Application, ReceiptView, Tried
from lastcall.domain.types import ClientId, Instant, ReceiptId
from lastcall.ports import Env, Transaction

MOST = 1_000
"""Deliveries in one page, whatever was asked; also in the signed document."""

LEFT = 100
"""Deliveries that are shown as left; how many there are is always told."""


async def receipt(
    env: Env, caller: Caller, id: ReceiptId, *, after: str = "", limit: int = MOST
) -> ReceiptView:
    """Who asked may read it, and who may read others'; to everybody else it does not exist."""
    async with (
        refusals(env, caller, Action.LIST, f"receipt:{id}"),
        env.store.transaction(caller.tenant) as tx,
    ):
        now = env.clock.now()
        caller = await standing(tx, caller, now)
        found = await tx.receipt(id)
        others = Permission.RECEIPT_READ_OTHERS in caller.role.permissions
        if found is None or not (others or found.revocation.by == caller.subject):
            raise NotFound("no such receipt")
        return await _viewed(tx, found, env.store.spread(found), now, after, min(limit, MOST))


async def signed_receipt(
    env: Env,
    caller: Caller,
    id: ReceiptId,
    shown: Callable[[ReceiptView], Mapping[str, object]],
) -> str:
    """A finished receipt as a compact JWS: what is shown of it, and its place in the audit log.

    Raises `Unfinished` for one that still changes.
    """
    view = await receipt(env, caller, id)
    if not view.finished or view.record is None:
        raise Unfinished("something is still to be done")
    record = view.record
    claims = {
        "iss": env.signer.issuer,
        "iat": view.now // 1_000,
        "tenant": record.event.tenant,
        "receipt": shown(view),
        "audit": {
            "seq": record.seq,
            "previous": record.previous.hex(),
            "digest": record.digest.hex(),
            "record": line_of(record),
        },
    }
    return await env.signer.sign(claims, typ=RECEIPT_TYP, alg="EdDSA")


async def _viewed(
    tx: Transaction, found: Receipt, spread: Spread, now: Instant, after: str, limit: int
) -> ReceiptView:
    key = found.revocation.id
    page = await tx.deliveries(receipt=key, after=after, limit=limit + 1)
    tried = [Tried(delivery=one, attempts=await tx.attempts(one.id)) for one in page[:limit]]
    by_client: defaultdict[ClientId, dict[DeliveryState, int]] = defaultdict(dict)
    for (client, state), count in (await tx.tally(key)).items():
        by_client[client][state] = count
    applications = [
        Application(id=one, client=await tx.client(one), states=states)
        for one, states in by_client.items()
    ]
    return ReceiptView(
        receipt=found,
        record=await tx.record_of(key),
        now=now,
        applications=tuple(sorted(applications, key=lambda one: (one.name, one.id))),
        unsettled=await tx.unsettled(key),
        last_settled=await tx.last_settled(key),
        tried=tuple(tried),
        next=tried[-1].delivery.id if 0 < limit < len(page) else None,
        left=tuple(await tx.deliveries(receipt=key, states=NOT_WELL, limit=LEFT)),
        spread=spread,
    )
