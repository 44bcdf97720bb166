"""Owing: what an end owes the applications, written in the very transaction of the end."""

from collections.abc import Sequence

from lastcall.domain.client import Client, account_at
from lastcall.domain.delivery import owed, owed_for_subject
from lastcall.domain.logout import OfSubject, Revocation
from lastcall.domain.session import Participant, Session
from lastcall.domain.types import ClientId, Instant
from lastcall.ports import Env, Transaction


async def owe(
    tx: Transaction, env: Env, revocation: Revocation, ended: Sequence[Session]
) -> frozenset[ClientId]:
    """Owe every participant of the ended sessions, and who is always told, one notice each.

    The ids say what is owed, so that neither a batch done twice nor several sessions of one user
    at a client that is told by user double anything. Returns the clients that are owed; with a
    user logged out, those that are owed for that user, and not for whom it impersonated.
    """
    if not await tx.clients():
        return frozenset()
    scope, now = revocation.scope, env.clock.now()
    always = await tx.clients(always=True)
    owing: set[ClientId] = set()
    for session in ended:
        told = await _owe_for(tx, revocation, session, always, now)
        if not isinstance(scope, OfSubject) or session.subject == scope.subject:
            owing |= told
    return frozenset(owing)


async def owe_subject(
    tx: Transaction, env: Env, revocation: Revocation, but_not: frozenset[ClientId]
) -> None:
    """Owe the clients that are always told a notice for a user who is logged out whole.

    The user may have sessions there though none has ended here, or none that they joined.
    """
    scope = revocation.scope
    if not isinstance(scope, OfSubject) or scope.dialect is not None or scope.keep is not None:
        return
    subject = await tx.subject(scope.subject)
    if subject is None:
        return
    for client in await tx.clients(always=True):
        if client.id not in but_not:
            account = account_at(
                client, subject, None, await tx.account_listed(client.id, subject.id)
            )
            now = env.clock.now()
            await tx.add_delivery(owed_for_subject(revocation, subject.id, client, account, now))


async def _owe_for(
    tx: Transaction,
    revocation: Revocation,
    session: Session,
    always: Sequence[Client],
    now: Instant,
) -> set[ClientId]:
    """One notice for each time a client was joined, and for those that are told all the same."""
    joins: list[tuple[Client, Participant | None]] = []
    for joined in session.participants:
        client = await tx.client(joined.client)
        if client is not None:
            joins.append((client, joined))
    told = {client.id for client, _ in joins}
    joins += ((client, None) for client in always if client.id not in told)
    subject = await tx.subject(session.subject) if joins else None
    for client, participant in joins:
        account = participant.account if participant else ""
        if subject is not None:
            listed = await tx.account_listed(client.id, subject.id)
            account = account_at(client, subject, participant, listed)
        await tx.add_delivery(owed(revocation, session, client, participant, account, now))
    return {client.id for client, _ in joins}
