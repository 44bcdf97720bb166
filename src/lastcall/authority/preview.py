"""Preview: what a mass logout would do, before it is done."""

import asyncio
from dataclasses import dataclass, field

from lastcall.authority.refusals import refusals
from lastcall.authority.selecting import selected
from lastcall.authority.standing import standing
from lastcall.domain.access import Caller, Permission, Rank, require
from lastcall.domain.audit import Action, event_by
from lastcall.domain.errors import Invalid
from lastcall.domain.plan import Preview
from lastcall.domain.selection import Selection
from lastcall.domain.subject import Subject, role_of
from lastcall.domain.token import ID_BYTES, id_text
from lastcall.domain.types import (
    ClientId,
    PreviewId,
    SessionId,
    SubjectId,
    TenantId,
    later,
)
from lastcall.ports import Env, Transaction

ACCOUNTS = 1_000
"""Accounts looked at in one transaction."""


@dataclass(slots=True)
class Chosen:
    """What is kept of the sessions a selection names, however many they are."""

    sessions: list[SessionId] = field(default_factory=list)
    subjects: set[SubjectId] = field(default_factory=set)
    joined: set[ClientId] = field(default_factory=set)
    admins: bool = False


async def preview(env: Env, caller: Caller, selection: Selection) -> Preview:
    """The exact set a selection names now, kept for `mass_logout` to end; needs `TENANT_LOGOUT`."""
    async with refusals(env, caller, Action.PREVIEW):
        async with env.store.transaction(caller.tenant) as tx:
            caller = await standing(tx, caller, env.clock.now())
            require(caller, Permission.TENANT_LOGOUT)
        if selection.countries and env.country_of is None:
            raise Invalid("countries", "need a GeoIP file, and none is configured")
        chosen = await _choose(env, caller.tenant, selection)
        last_admin = chosen.admins and await _all_admins(env, caller.tenant, chosen.subjects)
        async with env.store.transaction(caller.tenant) as tx:
            now = env.clock.now()
            caller = await standing(tx, caller, now)
            require(caller, Permission.TENANT_LOGOUT)
            told, muted = await _applications(tx, chosen)
            made = Preview(
                id=PreviewId("p_" + id_text(env.entropy.bytes(ID_BYTES))),
                tenant=caller.tenant,
                by=caller.subject or None,
                by_name=caller.username,
                at=now,
                selection=selection,
                sessions=tuple(chosen.sessions),
                counts={
                    "users": len(chosen.subjects),
                    "sessions": len(chosen.sessions),
                    "applications": len(told) + len(muted),
                    "cannot_be_told": len(muted),
                },
                muted=tuple(sorted(muted)),
                self_included=caller.session is not None and caller.session.id in chosen.sessions,
                last_admin=last_admin,
                expires=later(now, env.policy(caller.tenant).preview_life),
            )
            await tx.put_preview(made)
            detail = {name: str(count) for name, count in made.counts.items()}
            await tx.record(event_by(caller, now, Action.PREVIEW, target=made.id, detail=detail))
    return made


async def _choose(env: Env, tenant: TenantId, selection: Selection) -> Chosen:
    """Newest first."""
    chosen = Chosen()
    async for session, subject in selected(env, tenant, selection):
        chosen.sessions.append(session.id)
        chosen.subjects.add(subject.id)
        chosen.joined.update(participant.client for participant in session.participants)
        chosen.admins = chosen.admins or _is_admin(subject)
    chosen.sessions.reverse()
    return chosen


async def _applications(tx: Transaction, chosen: Chosen) -> tuple[frozenset[str], frozenset[str]]:
    """The names of the applications concerned: those that can be told, and those that cannot."""
    clients = [
        client
        for client in await tx.clients()
        if client.id in chosen.joined or (client.always and chosen.sessions)
    ]
    told = frozenset(client.name for client in clients if client.can_be_told)
    return told, frozenset(client.name for client in clients) - told


async def _all_admins(env: Env, tenant: TenantId, chosen: set[SubjectId]) -> bool:
    """Whether every enabled account of the highest rank is among them."""
    after = ""
    while True:
        async with env.store.transaction(tenant) as tx:
            some = await tx.subjects(after, ACCOUNTS)
        if any(_is_admin(one) and one.id not in chosen for one in some):
            return False
        if len(some) < ACCOUNTS:
            return True
        after = some[-1].username
        await asyncio.sleep(0)


def _is_admin(subject: Subject) -> bool:
    return subject.enabled and role_of(subject).rank is max(Rank)
