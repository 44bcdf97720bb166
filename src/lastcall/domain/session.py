"""Sessions: one login of one subject, and the one function that decides whether it still counts."""

from dataclasses import dataclass, replace
from enum import StrEnum

from lastcall.domain.factor import Factor
from lastcall.domain.types import (
    SECOND,
    ClientId,
    DialectName,
    Duration,
    EndReason,
    Instant,
    Kind,
    Serial,
    SessionId,
    SubjectId,
    TenantId,
    TokenHash,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetime:
    """How long a session lasts: without use (`idle`, None for no limit), and at the very most."""

    idle: Duration | None
    absolute: Duration


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """What a user agent says it is; every field may be empty."""

    type: str = ""
    name: str = ""
    version: str = ""
    os_name: str = ""
    os_version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Participant:
    """An application that joined the session: its own session id, sealed, and account name there.

    The id is sealed because at some applications it is a token that logs its holder in.
    """

    client: ClientId
    sid: str
    account: str


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """When, by whom (None: by rule), and why a session ended."""

    at: Instant
    why: EndReason
    by: SubjectId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One login. `id` may be shown; its secrets are known here by their hashes alone.

    A session may have a refresh token beside its token: then the token stops counting at
    `token_expires` while the session lives on, and `spent` holds the refresh tokens used before,
    whose second use ends the whole family. `impersonator` is who really sits there, if that is
    not the subject.
    """

    id: SessionId
    tenant: TenantId
    subject: SubjectId
    token_hash: TokenHash
    serial: Serial
    dialect: DialectName
    kind: Kind
    address: str
    port: int
    host: str
    user_agent: str
    device: Device
    factors: tuple[Factor, ...]
    created: Instant
    last_seen: Instant
    idle: Duration | None
    expires: Instant
    token_expires: Instant | None = None
    refresh_hash: TokenHash | None = None
    spent: tuple[TokenHash, ...] = ()
    participants: tuple[Participant, ...] = ()
    impersonator: SubjectId | None = None
    ended: End | None = None

    @property
    def idle_deadline(self) -> Instant | None:
        return None if self.idle is None else Instant(self.last_seen + self.idle)

    @property
    def deadline(self) -> Instant:
        """The instant from which the session no longer counts unless it is used before."""
        idle = self.idle_deadline
        return self.expires if idle is None else min(self.expires, idle)


class State(StrEnum):
    LIVE = "live"
    ENDED = "ended"
    REVOKED = "revoked"
    IDLE = "idle"
    EXPIRED = "expired"


def state_of(session: Session, now: Instant, revoked_before: Serial) -> State:
    """Whether a session counts at `now`.

    `revoked_before` is the highest serial among the revocations that cover the session: a login
    numbered below it is out, whether or not its row has been ended yet. Deadlines exclude their
    own instant. Ended outranks every other answer, so no later change of the clock revives it.
    """
    if session.ended is not None:
        return State.ENDED
    if session.serial < revoked_before:
        return State.REVOKED
    if now >= session.expires:
        return State.EXPIRED
    if session.idle is not None and now >= session.last_seen + session.idle:
        return State.IDLE
    return State.LIVE


def token_counts(session: Session, now: Instant) -> bool:
    """Whether the token has not outlived itself, for sessions whose token is renewed."""
    return session.token_expires is None or now < session.token_expires


def lapses(session: Session) -> Instant:
    """The instant until which a session whose token counts goes on counting by itself, unused."""
    until = session.deadline
    return until if session.token_expires is None else min(until, session.token_expires)


def next_use(session: Session, at: Instant) -> Instant:
    """When a use after the one at `at` is worth remembering: uses within a second are one.

    Where a session lapses soon without use it is a hundredth of that time; so remembering fewer
    uses never lets a session lapse noticeably sooner, nor any later.
    """
    apart = SECOND if session.idle is None else min(SECOND, session.idle // 100)
    return Instant(at + apart)


def touched(session: Session, at: Instant) -> Session:
    """The session as seen at `at`; never moves backwards."""
    return session if at <= session.last_seen else replace(session, last_seen=at)


def joined(session: Session, participant: Participant) -> Session:
    """With the participant in it; the same client's own session of the same name joins once."""
    others = (
        other
        for other in session.participants
        if (other.client, other.sid) != (participant.client, participant.sid)
    )
    return replace(session, participants=(*others, participant))


def ended(session: Session, end: End) -> Session:
    """The tombstone. Ending twice keeps the first end."""
    return session if session.ended is not None else replace(session, ended=end)
