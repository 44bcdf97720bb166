"""What stands before every handler: who asks, whether they may, how often, and with which proof.

The order is the current server's: login, permission, licence, rate limit, parameters, second
factor, and only then whether there is anything under the id given.
"""

import hashlib
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Any, TypeVar

from lastcall.authority.accounts import account
from lastcall.authority.guesses import address_block
from lastcall.authority.refusals import refusals
from lastcall.authority.step_up import step_up
from lastcall.authority.validate import validate
from lastcall.dialects.rocketchat.parameters import offered
from lastcall.dialects.rocketchat.settings import Settings
from lastcall.dialects.rocketchat.words import HEADERS, Failure, TooMany
from lastcall.domain.access import Caller, Permission, require
from lastcall.domain.audit import Action
from lastcall.domain.errors import Invalid, NotAuthenticated
from lastcall.domain.factor import Method, fresh
from lastcall.domain.subject import second_factors
from lastcall.domain.types import Duration, SubjectId
from lastcall.wire import Call, Handler, Reply

T = TypeVar("T")

METHODS = {"totp": Method.TOTP, "email": Method.EMAIL, "password": Method.PASSWORD}

ONCE = "once"
"""The context of a proof that is not remembered: no place hashes to it."""


class Proof(Enum):
    """Whether a route asks for a second factor, and whether one given a while ago will do."""

    NONE = "none"
    REMEMBERED = "remembered"
    ALWAYS = "always"


class Rate(Enum):
    """Whether calls are counted; `SPARED` ones are, but never refused: they end own sessions."""

    LIMITED = "limited"
    SPARED = "spared"
    BY_HANDLER = "by handler"


def guarded(
    check: Callable[[Any, Settings], T],
    handle: Callable[[Call[Settings], Caller, T], Awaitable[Reply]],
    *,
    needs: Permission | None = None,
    licensed: bool = False,
    rate: Rate = Rate.LIMITED,
    proof: Proof = Proof.NONE,
) -> Handler[Settings]:
    async def answer(call: Call[Settings]) -> Reply:
        caller = await authenticated(call)
        if needs is not None:
            action = Action.LOGOUT if needs is Permission.SESSION_END_OTHERS else Action.LIST
            async with refusals(call.env, caller, action):
                require(caller, needs)
        if licensed and not call.settings.device_management_license:
            raise Failure("This is an enterprise feature", "error-action-not-allowed")
        if rate is not Rate.BY_HANDLER:
            counted(call, caller, spared=rate is Rate.SPARED)
        given = check(offered(call), call.settings)
        if proof is not Proof.NONE:
            caller = await proven(call, caller, remember=proof is Proof.REMEMBERED)
        return await handle(call, caller, given)

    return answer


async def authenticated(call: Call[Any]) -> Caller:
    """Whoever holds the token, if it is the one of the user it is said to be of."""
    try:
        subject, token = call.header("x-user-id"), call.header("x-auth-token")
    except Invalid as error:
        raise NotAuthenticated("repeated header") from error
    if not subject or not token:
        raise NotAuthenticated("nothing offered")
    return await validate(call.env, call.tenant, token, call.origin, claimed=SubjectId(subject))


def counted(call: Call[Settings], caller: Caller | None = None, *, spared: bool = False) -> None:
    """Count one call of this address on this route, and say in headers how many are left."""
    settings = call.settings
    if not settings.API_Enable_Rate_Limiter:
        return
    if caller and Permission.RATE_LIMIT_BYPASS in caller.role.permissions:
        return
    limit = settings.API_Enable_Rate_Limiter_Limit_Calls_Default
    key = f"{call.tenant} {call.method} {call.trail.route} {address_block(call.address)}"
    hit = call.limiter.hit(key, limit, settings.API_Enable_Rate_Limiter_Limit_Time_Default)
    call.facts[HEADERS].extend(
        (
            ("X-RateLimit-Limit", str(limit)),
            ("X-RateLimit-Remaining", str(hit.remaining)),
            ("X-RateLimit-Reset", str(hit.reset)),
        )
    )
    if not hit.allowed and not spared:
        raise TooMany(max(1, -(-(hit.reset - call.env.clock.now()) // 1_000)))


async def proven(call: Call[Settings], caller: Caller, *, remember: bool) -> Caller:
    """The caller with a second factor, given now or remembered from this same place."""
    settings, policy = call.settings, call.env.policy(call.tenant)
    demanded = policy.second_factor_for_others
    if not (settings.Accounts_TwoFactorAuthentication_Enabled or demanded):
        return caller
    within = settings.remember_for
    if demanded:
        within = min(within, policy.step_up_life)
    place, factors = _place(call), caller.session.factors if caller.session else ()
    if remember and fresh(factors, call.env.clock.now(), Duration(within), place):
        return caller
    password_will_do = settings.Accounts_TwoFactorAuthentication_Enforce_Password_Fallback
    if not (password_will_do or demanded or second_factors(await account(call.env, caller))):
        return caller
    done = await step_up(
        call.env,
        caller,
        call.header("x-2fa-code") or None,
        METHODS.get((call.header("x-2fa-method") or "").strip().lower()),
        context=place if remember else ONCE,
    )
    return done.caller


def _place(call: Call[Any]) -> str:
    """The browser and address a proof is remembered for; the token is its session's own."""
    origin = call.origin
    return hashlib.sha256(f"{origin.user_agent}\n{origin.address}".encode()).hexdigest()[:32]
