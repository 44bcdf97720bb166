"""Preview: what a mass logout would do, before it is done."""

from lastcall.authority.refusals import refusals
from lastcall.authority.standing import standing
from lastcall.domain.access import Caller, Permission, Rank, require
from lastcall.domain.audit import Action, event_by
from lastcall.domain.errors import Invalid
from lastcall.domain.plan import Preview
from lastcall.domain.selection import Selection, matches, networks_of
from lastcall.domain.session import Session
from lastcall.domain.subject import Subject, role_of
from lastcall.domain.token import ID_BYTES, id_text
from lastcall.domain.types import PreviewId, SubjectId, later
from lastcall.ports import Env, SessionQuery, Transaction

ALL = 1 << 40
"""More sessions than a tenant has."""


async def preview(env: Env, caller: Caller, selection: Selection) -> Preview:
    """The exact set a selection names now, kept for `mass_logout` to end; needs `TENANT_LOGOUT`."""
    async with (
        refusals(env, caller, Action.PREVIEW),
        env.store.transaction(caller.tenant) as tx,
    ):
        now = env.clock.now()
        caller = await standing(tx, caller, now)
        require(caller, Permission.TENANT_LOGOUT)
        if selection.countries and env.country_of is None:
            raise Invalid("countries", "need a GeoIP file, and none is configured")
        chosen = await select(tx, env, selection)
        subjects = {subject.id: subject for _, subject in chosen}
        sessions = [session for session, _ in chosen]
        told, muted = await _applications(tx, sessions)
        counts = {
            "users": len(subjects),
            "sessions": len(sessions),
            "applications": len(told) + len(muted),
            "cannot_be_told": len(muted),
        }
        made = Preview(
            id=PreviewId("p_" + id_text(env.entropy.bytes(ID_BYTES))),
            tenant=caller.tenant,
            by=caller.subject or None,
            by_name=caller.username,
            at=now,
            selection=selection,
            sessions=tuple(session.id for session in sessions),
            counts=counts,
            muted=tuple(sorted(muted)),
            self_included=caller.session is not None
            and caller.session.id in {session.id for session in sessions},
            last_admin=await _last_admin(tx, subjects),
            expires=later(now, env.policy(caller.tenant).preview_life),
        )
        await tx.put_preview(made)
        detail = {name: str(count) for name, count in counts.items()}
        await tx.record(event_by(caller, now, Action.PREVIEW, target=made.id, detail=detail))
    return made


async def select(tx: Transaction, env: Env, selection: Selection) -> list[tuple[Session, Subject]]:
    """The live sessions a selection names, newest first.

    A session that somebody sits in for another is named by what either of them is. Without a GeoIP
    file nobody is in any country.
    """
    networks = networks_of(selection)
    now = env.clock.now()
    page = await tx.sessions(SessionQuery(live_at=now, limit=ALL))
    found: list[tuple[Session, Subject]] = []
    for session in page.sessions:
        subject = await tx.subject(session.subject)
        sitter = await tx.subject(session.impersonator) if session.impersonator else None
        where = env.country_of if selection.countries else None
        country = where(session.address) if where else ""
        if subject and any(
            matches(selection, networks, session, one, now, country)
            for one in (subject, sitter)
            if one
        ):
            found.append((session, subject))
    return found


async def _applications(
    tx: Transaction, sessions: list[Session]
) -> tuple[frozenset[str], frozenset[str]]:
    """The names of the applications concerned: those that can be told, and those that cannot."""
    joined = {participant.client for session in sessions for participant in session.participants}
    clients = [
        client
        for client in await tx.clients()
        if client.id in joined or (client.always and sessions)
    ]
    told = frozenset(client.name for client in clients if client.can_be_told)
    return told, frozenset(client.name for client in clients) - told


async def _last_admin(tx: Transaction, subjects: dict[SubjectId, Subject]) -> bool:
    """Whether every enabled account of the highest rank is among them."""
    after = ""
    admins: list[Subject] = []
    while some := await tx.subjects(after):
        after = some[-1].username
        admins += [one for one in some if one.enabled and role_of(one).rank is max(Rank)]
    return bool(admins) and all(admin.id in subjects for admin in admins)
