"""Login: start a session for whoever proved who they are."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from lastcall.authority.credentials import Proven
from lastcall.authority.joining import joined_by_rule
from lastcall.authority.refusals import refusals
from lastcall.authority.room import make_room
from lastcall.domain.access import Caller
from lastcall.domain.audit import Action, event_by
from lastcall.domain.errors import Superseded
from lastcall.domain.origin import Origin
from lastcall.domain.policy import Admission
from lastcall.domain.session import Lifetime, Session
from lastcall.domain.subject import Subject, caller_of
from lastcall.domain.token import hash_token
from lastcall.domain.types import Duration, Instant, Kind, SessionId, later
from lastcall.ports import Entropy, Env, Transaction

ALPHABET = "23456789ABCDEFGHJKLMNPQRSTWXYZabcdefghijkmnopqrstuvwxyz"
"""Characters that are not mistaken for one another; 17 of them give 98 bits."""


Mint = Callable[[Entropy, SessionId, Instant], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """How a wire wants its session.

    `mint` makes the token from entropy, the new session's id, which is not secret, and the
    instant it ends; at least 128 random bits must be in it. With `mint_refresh` the session gets
    a refresh token too, and the token by itself counts for `token_life` only.
    """

    kind: Kind
    lifetime: Lifetime
    mint: Mint
    admission: tuple[Admission, ...] = field(default=())
    mint_refresh: Mint | None = None
    token_life: Duration | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedIn:
    """`token` exists here and on the wire, nowhere else."""

    session: Session
    subject: Subject
    token: str
    caller: Caller
    refresh: str = ""


def showable_id(entropy: Entropy) -> str:
    number = int.from_bytes(entropy.bytes(24))
    digits = []
    for _ in range(17):
        number, digit = divmod(number, len(ALPHABET))
        digits.append(ALPHABET[digit])
    return "".join(digits)


async def login(env: Env, origin: Origin, proven: Proven, start: Start) -> LoggedIn:
    """Start a session; it counts from its durable commit on.

    Raises `Conflict` when the caps refuse it, `Superseded` when a logout or a change of the
    account came between the credentials and now.
    """
    now = env.clock.now()
    who = proven.subject
    caller = caller_of(who, origin)
    async with refusals(env, caller, Action.LOGIN), env.store.transaction(who.tenant) as tx:
        subject = await tx.subject(who.id)
        overtaken = await tx.revoked_before(who.id, origin.dialect) > proven.as_of
        if subject is None or not subject.enabled or subject.version > proven.as_of or overtaken:
            raise Superseded("overtaken by a logout or a change of the account")
        new = await begun(tx, env, origin, subject, start)
        session = replace(new.session, factors=proven.factors)
        detail = await make_room(tx, env, session, start.admission, origin)
        await tx.add_session(session)
        await tx.record(event_by(caller, now, Action.LOGIN, target=session.id, detail=detail))
    return replace(new, session=session, caller=caller_of(subject, origin, session))


async def begun(
    tx: Transaction, env: Env, origin: Origin, subject: Subject, start: Start
) -> LoggedIn:
    """A session without factors, in no store yet, and its secrets."""
    now = env.clock.now()
    session_id = SessionId(showable_id(env.entropy))
    expires = later(now, start.lifetime.absolute)
    token = start.mint(env.entropy, session_id, expires)
    refresh = start.mint_refresh(env.entropy, session_id, expires) if start.mint_refresh else ""
    session = Session(
        id=session_id,
        tenant=subject.tenant,
        subject=subject.id,
        token_hash=hash_token(token),
        serial=await tx.next_serial(),
        dialect=origin.dialect,
        kind=start.kind,
        address=origin.address,
        port=origin.port,
        host=origin.host,
        user_agent=origin.user_agent,
        device=env.device_of(origin.user_agent),
        factors=(),
        created=now,
        last_seen=now,
        idle=start.lifetime.idle,
        expires=expires,
        token_expires=later(now, start.token_life) if start.token_life else None,
        refresh_hash=hash_token(refresh) if refresh else None,
        participants=await joined_by_rule(tx, env, origin.dialect, session_id),
    )
    caller = caller_of(subject, origin, session)
    return LoggedIn(session=session, subject=subject, token=token, caller=caller, refresh=refresh)
