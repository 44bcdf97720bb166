"""The users calls: ending all of somebody's sessions, and second factors by e-mail."""

from dataclasses import replace

from lastcall.authority.accounts import account, account_called
from lastcall.authority.codes import code_by_request, code_for_nobody
from lastcall.authority.logout import logout
from lastcall.authority.subjects import change_subject
from lastcall.dialects.rocketchat.gate import authenticated, counted, proven
from lastcall.dialects.rocketchat.login import own_session
from lastcall.dialects.rocketchat.parameters import offered
from lastcall.dialects.rocketchat.settings import Settings
from lastcall.dialects.rocketchat.words import Failure, success
from lastcall.domain.access import Caller
from lastcall.domain.errors import NotAuthenticated, NotFound
from lastcall.domain.logout import OfSubject
from lastcall.domain.subject import Subject
from lastcall.domain.types import HOUR, SessionId, SubjectId
from lastcall.wire import Call, Reply, iso_time


def _all_of(call: Call[Settings], subject: SubjectId, keep: SessionId | None = None) -> OfSubject:
    dialect = call.dialect if call.settings.reach == "own" else None
    return OfSubject(subject=subject, dialect=dialect, keep=keep)


async def log_out_others(call: Call[Settings], caller: Caller, _nothing: None) -> Reply:
    session = own_session(caller)
    await logout(call.env, caller, _all_of(call, caller.subject, keep=session.id))
    return success(token=call.header("x-auth-token"), tokenExpires=iso_time(session.expires))


async def remove_other_tokens(call: Call[Settings], caller: Caller, _nothing: None) -> Reply:
    keep = own_session(caller).id
    await logout(call.env, caller, _all_of(call, caller.subject, keep=keep))
    return success()


async def log_out_user(call: Call[Settings], caller: Caller, named: SubjectId | None) -> Reply:
    """Somebody who does not exist has no sessions left either: the answer is the same."""
    whom = named or caller.subject
    own = whom == caller.subject
    counted(call, caller, spared=own)
    if not own and call.env.policy(call.tenant).second_factor_for_others:
        caller = await proven(call, caller, remember=True)
    try:
        await logout(call.env, caller, _all_of(call, whom))
    except NotFound as error:
        call.trail.refused = error
    return success(message=f"User {whom} has been logged out!")


async def send_email_code(call: Call[Settings]) -> Reply:
    """Always a success: for names that do not exist, and when too many were asked for.

    Someone logged in gets a code for that very session, whatever name is given.
    """
    try:
        caller = await authenticated(call)
    except NotAuthenticated:
        caller = None
    counted(call, caller)
    body = offered(call)
    name = body.get("emailOrUsername") if isinstance(body, dict) else None
    if not isinstance(name, str) or not name:
        raise Failure("emailOrUsername is required", "error-parameter-required")
    found: Subject | None = None
    if caller is not None:
        found = await account(call.env, caller)
    else:
        found = await account_called(call.env, call.tenant, name, with_email=True)
    key = f"{call.tenant} e-mail codes of {found.id if found else name}"
    if call.limiter.hit(key, call.settings.email_codes_per_hour, HOUR).allowed:
        if found is None:
            await code_for_nobody(call.env, call.tenant)
        await code_by_request(call.env, found, call.origin, caller)
    return success()


async def enable_email(call: Call[Settings], caller: Caller, _nothing: None) -> Reply:
    if not (await account(call.env, caller)).email:
        raise Failure("You need to verify your emails before setting up 2FA", "error-invalid-user")
    await _set_email_codes(call, caller, on=True)
    return success()


async def disable_email(call: Call[Settings], caller: Caller, _nothing: None) -> Reply:
    await _set_email_codes(call, caller, on=False)
    return success()


async def _set_email_codes(call: Call[Settings], caller: Caller, *, on: bool) -> None:
    """A change ends the subject's other sessions."""
    await change_subject(
        call.env, caller, caller.subject, lambda subject: replace(subject, email_codes=on)
    )
