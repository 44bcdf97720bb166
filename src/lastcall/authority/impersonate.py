"""Impersonate: sit in somebody's place for a while, on record under both names."""

from dataclasses import replace

from lastcall.authority.factors import require_fresh_factor
from lastcall.authority.login import LoggedIn, Start, begun
from lastcall.authority.refusals import refusals
from lastcall.authority.standing import standing
from lastcall.domain.access import Caller, Permission, require, require_over
from lastcall.domain.audit import Action, event_by
from lastcall.domain.errors import Denied, Invalid, NotFound
from lastcall.domain.subject import Subject, caller_of, role_of
from lastcall.domain.types import SubjectId
from lastcall.ports import Env, Transaction


async def impersonate(
    env: Env, caller: Caller, start: Start, reason: str, *, subject: str = "", username: str = ""
) -> LoggedIn:
    """A session as the account of that id, or of that username, with no right over others in it.

    Needs the permission, a rank at least theirs, a reason, and a fresh second factor whatever the
    tenant says. It ends with all of the impersonator's sessions, and counts against no cap. Raises
    `Denied`, `NotFound`, `Invalid`, `SecondFactorRequired`.
    """
    target = f"subject:{subject}" if subject else f"username:{username}"
    async with (
        refusals(env, caller, Action.IMPERSONATED, target),
        env.store.transaction(caller.tenant) as tx,
    ):
        now = env.clock.now()
        caller = await standing(tx, caller, now)
        require(caller, Permission.SUBJECT_IMPERSONATE)
        if not reason.strip():
            raise Invalid("reason", "is required")
        await require_fresh_factor(tx, env, caller, always=True)
        whom = await _whom(tx, subject, username)
        if whom.id == caller.subject:
            raise Denied("of oneself")
        require_over(caller, Permission.SUBJECT_IMPERSONATE, role_of(whom).rank)
        new = await begun(tx, env, caller.origin, whom, start)
        session = replace(new.session, impersonator=caller.subject)
        await tx.add_session(session)
        detail = {"subject": whom.id, "username": whom.username, "reason": reason}
        event = event_by(caller, now, Action.IMPERSONATED, target=session.id, detail=detail)
        await tx.record(event)
    return replace(new, session=session, caller=caller_of(whom, caller.origin, session))


async def _whom(tx: Transaction, subject: str, username: str) -> Subject:
    """A disabled account can be nobody's place."""
    by_id = await tx.subject(SubjectId(subject)) if subject else None
    found = by_id or (await tx.subject_named(username) if username else None)
    if found is None or not found.enabled:
        raise NotFound("no such subject")
    return found
