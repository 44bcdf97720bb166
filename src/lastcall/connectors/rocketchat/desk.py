"""The administrator's part: a token of its own, and a second factor for whatever asks for one."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pyotp

from lastcall.domain.delivery import Outcome
from lastcall.domain.types import Duration, Instant
from lastcall.errand import BEARER, Errand, object_in, ruled, unclear
from lastcall.outward import Answer, NoAnswer, Target, Told

API = "/api/v1"
STEP = 30_000  # milliseconds

NEEDED, WRONG, NO_MORE = "totp-required", "totp-invalid", "totp-max-attempts"
"""What a call says that wants a second factor, whichever it is."""

BLOCKED = frozenset({"error-login-blocked-for-ip", "error-login-blocked-for-user"})
LICENCE = "error-action-not-allowed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Who asks. `own` says that the token was taken for this errand and is to be given back."""

    errand: Errand
    now: Instant
    identity: Mapping[str, str] = field(default_factory=dict, repr=False)
    own: bool = False

    async def ask(
        self, method: str, call: str, said: object = None, *, ends: bool = False
    ) -> Answer:
        """One call; a second factor is given only when asked for, as codes count once."""
        path = f"{API}/{call}"
        answer = await self.errand.ask(method, path, headers=self.identity, members=said, ends=ends)
        for factor in factors(self.errand, self.now):
            if kind_of(answer) not in (NEEDED, WRONG):
                break
            headers = {**self.identity, **factor}
            answer = await self.errand.ask(method, path, headers=headers, members=said, ends=ends)
        return answer

    async def look(self, method: str, call: str, said: object = None) -> Answer | None:
        """A call without which the errand is done too; None for no answer."""
        try:
            return await self.ask(method, call, said)
        except NoAnswer:
            return None


def factors(errand: Errand, now: Instant) -> Sequence[Mapping[str, str]]:
    """The headers to try, one after the other.

    A code of an app may have been used by another errand with the same token: then the next one
    is taken as well, or that errand's may have done for both.
    """
    otp, password = app(errand.target), errand.value("password")
    if otp is not None:
        step = now // STEP
        return [*(given(otp.generate_otp(one), "totp") for one in (step, step + 1)), {}]
    if password and not errand.value("totp_secret"):
        return [given(hashlib.sha256(password.encode(errors="replace")).hexdigest(), "password")]
    return ()


def given(code: str, method: str) -> Mapping[str, str]:
    return {"x-2fa-code": code, "x-2fa-method": method}


def app(target: Target) -> pyotp.TOTP | None:
    """What computes the codes; None without a secret, and for one that is not base32."""
    secret = "".join(target.secrets.get("totp_secret", "").split()).rstrip("=")
    try:
        otp = pyotp.TOTP(secret)
        otp.generate_otp(0)
    except ValueError:
        return None
    return otp if secret else None


def kind_of(answer: Answer) -> str:
    """The error's type; in the answer to a login it stands in another place."""
    said = object_in(answer)
    kind = said.get("errorType", said.get("error"))
    return kind if isinstance(kind, str) else ""


async def take(errand: Errand, now: Instant) -> Desk | Told:
    """By the token that is set, else by logging in."""
    token = errand.value("token")
    if token:
        identity = {"x-user-id": errand.value("user_id"), "x-auth-token": token}
        return Desk(errand=errand, now=now, identity=identity)
    nobody = Desk(errand=errand, now=now)
    said = {"user": errand.value("username"), "password": errand.value("password")}
    answer = await nobody.ask("POST", "login", said)
    data = object_in(answer).get("data")
    begun = data if isinstance(data, dict) else {}
    identity = {
        header: value
        for header, name in (("x-user-id", "userId"), ("x-auth-token", "authToken"))
        if isinstance(value := begun.get(name), str) and BEARER.fullmatch(value)
    }
    if len(identity) < 2:
        return refusal(answer, errand.target, now)
    return replace(nobody, identity=identity, own=True)


async def leave(desk: Desk) -> None:
    if desk.own:
        await desk.errand.look("POST", f"{API}/logout", headers=desk.identity)


def refusal(answer: Answer, target: Target, now: Instant) -> Told:
    """What a call that was no success means."""
    kind = kind_of(answer)
    if kind in (NEEDED, WRONG, NO_MORE):
        return _no_factor(answer, target)
    if kind in BLOCKED:
        return ruled(answer, Outcome.RETRY, "administrator locked out")
    if kind == LICENCE:
        return ruled(answer, Outcome.REFUSED, "no licence for sessions there")
    match answer.status:
        case 401:
            return ruled(answer, Outcome.REFUSED, "credentials refused")
        case 403:
            return ruled(answer, Outcome.REFUSED, "not permitted there")
        case 429:
            return _later(unclear(answer, 429), answer, now)
        case status:
            return unclear(answer, status)


def _no_factor(answer: Answer, target: Target) -> Told:
    """Codes of an app may have been used by another errand, and there is a next one soon."""
    if target.secrets.get("totp_secret"):
        told = ruled(answer, Outcome.RETRY, "second factor refused")
        return replace(told, retry_after=Duration(STEP))
    given = "refused" if target.secrets.get("password") else "needed"
    return ruled(answer, Outcome.REFUSED, f"second factor {given}")


def _later(told: Told, answer: Answer, now: Instant) -> Told:
    """When the window of the rate limit ends, in milliseconds since the epoch."""
    reset = answer.headers.get("x-ratelimit-reset", "")
    at = int(reset[:16]) if reset.isascii() and reset.isdigit() else 0
    return replace(told, retry_after=Duration(max(0, at - now))) if at else told
