"""Concerns: which checks and which deliveries a change is about."""

from lastcall.domain.delivery import Delivery
from lastcall.domain.logout import Receipt
from lastcall.domain.session import Session
from lastcall.domain.subject import Subject
from lastcall.domain.types import TenantId, TokenHash
from lastcall.index.marks import keys_of
from lastcall.index.tables import Changed, Fact
from lastcall.ports.feed import Mark, ScopeKey

Concern = TokenHash | tuple[TenantId, ScopeKey]
"""What a change is about: the tokens of a session, or everything in a scope."""


def to_be_tried(before: Fact | None, after: Delivery) -> bool:
    return after.next_at is not None and not (
        isinstance(before, Delivery) and before.next_at == after.next_at
    )


def about_of(change: Changed) -> list[Concern]:
    """What a check of which tokens depends on: nothing, for most tables."""
    match (change.before, change.after):
        case (Session() as before, Session() as after):
            return [before.token_hash, after.token_hash]
        case (Session() as one, None) | (None, Session() as one):
            return [one.token_hash]
        case (Subject() as one, _) | (_, Subject() as one):
            return [(change.tenant, (one.id, None))]
        case (None, Receipt() as one):
            return [(change.tenant, key) for key in keys_of(one.revocation.scope)]
        case _:
            return []


def mark_of(tenant: TenantId, concern: Concern) -> Mark:
    return Mark(tenant, concern if isinstance(concern, bytes) else concern[1])
