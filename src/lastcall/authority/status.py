"""Status: is this person out of everything, since when, and what is left."""

from collections.abc import Mapping
from dataclasses import dataclass

from lastcall.authority.refusals import refusals
from lastcall.authority.standing import standing
from lastcall.domain.access import Caller, Permission
from lastcall.domain.audit import Action
from lastcall.domain.delivery import Delivery
from lastcall.domain.errors import NotFound
from lastcall.domain.session import Session, State, state_of
from lastcall.domain.tally import gone_at, standing_against
from lastcall.domain.types import ClientId, Instant, SubjectId, later
from lastcall.ports import Env, SessionQuery, Transaction

PAGE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """`since` is when the last session or notice had ended, None while anything is left, and
    for somebody who was never in. `last_token_until` is when the last of it is over by itself, at
    the latest. `names` are those of the applications in `left`.
    """

    subject: SubjectId
    username: str
    now: Instant
    live: tuple[Session, ...]
    left: tuple[Delivery, ...]
    names: Mapping[ClientId, str]
    since: Instant | None
    last_token_until: Instant | None

    @property
    def out(self) -> bool:
        return not self.live and not self.left


async def status(env: Env, caller: Caller, id: SubjectId) -> Status:
    """One's own; with the permission anybody's. Raises `NotFound` alike for all others."""
    async with (
        refusals(env, caller, Action.LIST, f"status:{id}"),
        env.store.transaction(caller.tenant) as tx,
    ):
        now = env.clock.now()
        caller = await standing(tx, caller, now)
        if id != caller.subject and Permission.SUBJECT_READ not in caller.role.permissions:
            raise NotFound("no such subject")
        subject = await tx.subject(id)
        sessions, deliveries = await _sessions(tx, id), await _deliveries(tx, id)
        if subject is None and not sessions and not deliveries:
            raise NotFound("no such subject")
        live: list[Session] = []
        ends: list[Instant] = []
        for session in sessions:
            state = state_of(session, now, await tx.covered_by(session))
            if state is State.LIVE:
                live.append(session)
            else:
                ends.append(_ended_at(session, now))
        clients = {one.id: one for one in await tx.clients()}
    left = standing_against(deliveries, clients, now)
    ends += [gone_at(one, clients.get(one.client), now) for one in deliveries]
    alive = [one.expires for one in live] + [one.until or now for one in left]
    alive += [
        later(session.expires, clients[joined.client].outlives)
        for session in live
        for joined in session.participants
        if joined.client in clients
    ]
    return Status(
        subject=id,
        username=subject.username if subject else "",
        now=now,
        live=tuple(live),
        left=tuple(left),
        names={one: clients[one].name for one in {d.client for d in left} & clients.keys()},
        since=None if alive else max(ends, default=None),
        last_token_until=max(alive, default=None),
    )


def _ended_at(session: Session, now: Instant) -> Instant:
    """When it stopped to count; `now` at the latest, for a row that is still to be ended."""
    return session.ended.at if session.ended else min(session.deadline, now)


async def _sessions(tx: Transaction, id: SubjectId) -> list[Session]:
    found: list[Session] = []
    before = None
    while True:
        page = await tx.sessions(SessionQuery(subject=id, before=before, limit=PAGE))
        found += page.sessions
        before = page.next
        if before is None:
            return found


async def _deliveries(tx: Transaction, id: SubjectId) -> list[Delivery]:
    found: list[Delivery] = []
    while True:
        page = await tx.deliveries(subject=id, after=found[-1].id if found else "", limit=PAGE)
        found += page
        if len(page) < PAGE:
            return found
