"""Every way a transaction can change a store, and bodies that are undone."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from lastcall.domain.delivery import DeliveryState
from lastcall.domain.logout import OfSubject, OfTenant
from lastcall.domain.plan import PlanState
from lastcall.domain.session import Participant, Session
from lastcall.domain.types import DAY, ClientId, Instant, ReceiptId, SessionId
from lastcall.index import IndexStore
from lastcall.ports import Transaction
from tests.contract.rows import (
    ANN,
    BOB,
    GONE,
    NOW,
    ONE,
    a_client,
    a_code,
    a_delivery,
    a_memory,
    a_plan,
    a_preview,
    a_revocation,
    a_session,
    a_subject,
    an_attempt,
    an_event,
    fill,
    hashed,
    serials_up_to,
    some_strikes,
    token_of,
)
from tests.contract.snapshot import snapshot

A_SEAT = Participant(client=ClientId("c-mail"), sid="m1", account="ann.mail")

Change = Callable[[Transaction], Awaitable[object]]


async def _revoke_and_sweep(tx: Transaction) -> None:
    revocation = a_revocation(await tx.next_serial(), OfTenant(keep=SessionId("s2")))
    await tx.add_revocation(revocation)
    ended = await tx.end_sessions(revocation, 1)
    await tx.progress(revocation.id, len(ended), complete=False)


async def rename(tx: Transaction) -> None:
    renamed = a_subject("ann", username="anna", email="ANNA@example.com")
    await tx.change_subject(renamed)


CHANGES: dict[str, Change] = {
    "next_serial": lambda tx: tx.next_serial(),
    "add_subject": lambda tx: tx.add_subject(a_subject("cat")),
    "add_subject with a shared address": lambda tx: tx.add_subject(
        a_subject("cat", email="ann@example.com")
    ),
    "change_subject": rename,
    "remove_subject": lambda tx: tx.remove_subject(ANN),
    "add_session": lambda tx: tx.add_session(
        a_session(50, refresh_hash=hashed("r50"), spent=(hashed("r49"),))
    ),
    "add_session out of order": lambda tx: tx.add_session(a_session(0, subject=BOB)),
    "renew": lambda tx: tx.renew(
        a_session(1, token_hash=hashed("new"), refresh_hash=hashed("r2"), spent=(hashed("r"),))
    ),
    "end_session": lambda tx: tx.end_session(SessionId("s2"), GONE),
    "end_sessions": _revoke_and_sweep,
    "add_revocation": lambda tx: tx.add_revocation(a_revocation(40, OfSubject(subject=ANN))),
    "progress": lambda tx: tx.progress(ReceiptId("r9"), 1, complete=True),
    "put_strikes": lambda tx: tx.put_strikes(some_strikes(count=2)),
    "put_strikes anew": lambda tx: tx.put_strikes(some_strikes("other")),
    "clear_strikes": lambda tx: tx.clear_strikes("k"),
    "put_code": lambda tx: tx.put_code(a_code(tries_left=1)),
    "drop_code": lambda tx: tx.drop_code(ANN, "login"),
    "join": lambda tx: tx.join(SessionId("s1"), A_SEAT),
    "put_client": lambda tx: tx.put_client(a_client(name="crm")),
    "put_client, renamed": lambda tx: tx.put_client(a_client(id=ClientId("c-shop"), name="store")),
    "remove_client": lambda tx: tx.remove_client(ClientId("c-mail")),
    "put_account": lambda tx: tx.put_account(ClientId("c-mail"), BOB, "robert"),
    "put_account anew": lambda tx: tx.put_account(ClientId("c-mail"), ANN, "annie"),
    "put_account to none": lambda tx: tx.put_account(ClientId("c-mail"), ANN, ""),
    "add_delivery": lambda tx: tx.add_delivery(a_delivery(7)),
    "put_delivery": lambda tx: tx.put_delivery(a_delivery(1, next_at=None, settled_at=NOW)),
    "put_delivery, claimed": lambda tx: tx.put_delivery(
        a_delivery(1, attempts=1, claimed_until=Instant(NOW + 60_000))
    ),
    "add_attempt": lambda tx: tx.add_attempt(an_attempt(2)),
    "put_preview": lambda tx: tx.put_preview(a_preview("v2")),
    "put_plan": lambda tx: tx.put_plan(a_plan("p2")),
    "put_plan anew": lambda tx: tx.put_plan(a_plan(state=PlanState.DONE)),
    "remember": lambda tx: tx.remember(a_memory("k2")),
    "record": lambda tx: tx.record(an_event("x")),
    "prune": lambda tx: tx.prune(Instant(NOW + 9 * DAY), Instant(NOW + 10 * DAY), 100),
}


# One name or place can be taken only once, even in one body.
EACH_ONCE = [
    change
    for name, change in CHANGES.items()
    if name not in ("add_subject with a shared address", "remove_subject", "remove_client")
]


class Undone(Exception):
    """Raised by a body to have everything taken back."""


async def undone(store: IndexStore, *changes: Change) -> dict[str, Any]:
    """Make the changes in one body that raises; what the index held just before it did."""
    during: dict[str, Any] = {}
    with suppress(Undone):
        async with store.transaction(ONE) as tx:
            for change in changes:
                await change(tx)
            during = snapshot(store.index)
            raise Undone
    return during


async def add(store: IndexStore, session: Session) -> None:
    async with store.transaction(ONE) as tx:
        await tx.add_session(session)


async def do(store: IndexStore, change: Change) -> object:
    async with store.transaction(ONE) as tx:
        return await change(tx)


async def finds(store: IndexStore, number: int) -> bool:
    found = await store.find(token_of(number))
    return found is not None and found.session.ended is None


async def fill_with_everything(store: IndexStore) -> None:
    await fill(store)
    async with store.transaction(ONE) as tx:
        await tx.renew(a_session(1, refresh_hash=hashed("r")))
        await serials_up_to(tx, 9)
        await tx.add_revocation(a_revocation(9, OfSubject(subject=BOB)))
        await tx.put_strikes(some_strikes())
        await tx.put_code(a_code())
        await tx.end_session(SessionId("s3"), GONE)
        await tx.put_client(a_client())
        await tx.put_client(a_client("mail"))
        await tx.put_account(ClientId("c-mail"), ANN, "ann.mail")
        for number in (1, 2, 3):
            await tx.add_delivery(a_delivery(number))
        await tx.add_delivery(a_delivery(4, state=DeliveryState.CANNOT_BE_TOLD, next_at=None))
        await tx.add_attempt(an_attempt())
        await tx.put_preview(a_preview())
        await tx.put_plan(a_plan())
        await tx.remember(a_memory())
        await tx.record(an_event("first"))
