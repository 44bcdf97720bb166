"""Subjects: adding, changing and removing accounts; what must end sessions does so here."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from lastcall.authority.ending import Logout, end_scope
from lastcall.authority.refusals import refusals
from lastcall.authority.standing import standing
from lastcall.domain.access import Caller, Permission, require, require_over
from lastcall.domain.audit import Action, event_by
from lastcall.domain.errors import Denied, NotFound
from lastcall.domain.logout import OfSubject
from lastcall.domain.subject import Subject, role_of, why_sessions_end
from lastcall.domain.types import EndReason, SubjectId
from lastcall.ports import Env


async def taken_names(env: Env, caller: Caller, usernames: Sequence[str]) -> frozenset[str]:
    """Which of these names are in use in the caller's tenant."""
    async with env.store.transaction(caller.tenant) as tx:
        require(await standing(tx, caller, env.clock.now()), Permission.SUBJECT_READ)
        return frozenset([name for name in usernames if await tx.subject_named(name)])


async def add_subjects(env: Env, caller: Caller, subjects: Sequence[Subject]) -> None:
    """All or none. Raises `Conflict` when a username is taken, `Denied`."""
    async with (
        refusals(env, caller, Action.SUBJECT_ADDED),
        env.store.transaction(caller.tenant) as tx,
    ):
        now = env.clock.now()
        caller = await standing(tx, caller, now)
        for subject in subjects:
            require_over(caller, Permission.SUBJECT_WRITE, role_of(subject).rank)
            version = await tx.next_serial()
            await tx.add_subject(replace(subject, version=version, created=now, changed=now))
            await tx.record(event_by(caller, now, Action.SUBJECT_ADDED, target=subject.id))


async def change_subject(
    env: Env, caller: Caller, id: SubjectId, change: Callable[[Subject], Subject]
) -> Logout | None:
    """Apply `change` to an account; what became of its sessions, None when they go on.

    One's own account may be changed except for its role and whether it is enabled; the session it
    is done from goes on then. (Disable, password, role and factor changes: ASVS 7.4.2, 7.4.3.)
    """
    async with (
        refusals(env, caller, Action.SUBJECT_CHANGED, f"subject:{id}"),
        env.store.transaction(caller.tenant) as tx,
    ):
        now = env.clock.now()
        caller = await standing(tx, caller, now)
        before = await tx.subject(id)
        before = _writable(caller, id, before)
        after = replace(change(before), id=before.id, tenant=before.tenant, changed=now)
        if (before.role, before.enabled) != (after.role, after.enabled):
            require_over(caller, Permission.SUBJECT_WRITE, role_of(after).rank)
        why = why_sessions_end(before, after)
        done = None
        if why is not None:
            after = replace(after, version=await tx.next_serial())
            own = caller.session if id == caller.subject else None
            keep = own.id if own and after.enabled else None
            scope = OfSubject(subject=id, keep=keep)
            done = await end_scope(tx, env, caller, scope, why, "")
        await tx.change_subject(after)
        detail = _ended_detail(done)
        event = event_by(
            caller, now, Action.SUBJECT_CHANGED, target=id, code=why or "", detail=detail
        )
        await tx.record(event)
    return done


async def remove_subject(env: Env, caller: Caller, id: SubjectId) -> Logout:
    """Remove an account and end its sessions; its id is never given out again.

    All of them at once, however many: afterwards nobody knows what applications call it.
    """
    async with (
        refusals(env, caller, Action.SUBJECT_REMOVED, f"subject:{id}"),
        env.store.transaction(caller.tenant) as tx,
    ):
        now = env.clock.now()
        caller = await standing(tx, caller, now)
        before = await tx.subject(id)
        if before is None:
            raise NotFound("no such subject")
        require_over(caller, Permission.SUBJECT_WRITE, role_of(before).rank)
        scope = OfSubject(subject=id)
        done = await end_scope(tx, env, caller, scope, EndReason.SUBJECT_DELETED, "", whole=True)
        await tx.remove_subject(id)
        detail = _ended_detail(done)
        await tx.record(event_by(caller, now, Action.SUBJECT_REMOVED, target=id, detail=detail))
    return done


def _writable(caller: Caller, id: SubjectId, found: Subject | None) -> Subject:
    """The account if the caller may change it: one's own, or one of no higher rank.

    One's own is no impersonator's.
    """
    if caller.impersonator is not None:
        raise Denied("somebody else sits in the session")
    if found is None or id != caller.subject:
        require(caller, Permission.SUBJECT_WRITE)
    if found is None:
        raise NotFound("no such subject")
    if id != caller.subject:
        require_over(caller, Permission.SUBJECT_WRITE, role_of(found).rank)
    return found


def _ended_detail(done: Logout | None) -> dict[str, str]:
    if done is None:
        return {}
    return {"receipt": done.receipt.revocation.id, "sessions": str(len(done.ended))}
