"""A session as memory holds it: what many share kept once, what is its own packed into few bytes.

A million sessions are held, a few thousand of them are in use. Those that are have their `Session`
ready; for the others one is made when somebody asks, and forgotten when its place is needed.
"""

from collections.abc import Sequence
from dataclasses import fields, replace
from sys import intern
from weakref import WeakValueDictionary

import msgspec

from lastcall.domain.factor import Factor, Method
from lastcall.domain.session import Device, End, Participant, Session
from lastcall.domain.types import (
    ClientId,
    DialectName,
    Duration,
    Instant,
    Kind,
    Serial,
    SessionId,
    SubjectId,
    TenantId,
    TokenHash,
)

READY = 32_768
"""Sessions that are kept as such, for as long as they are among the latest asked for."""


class Ready:
    """The sessions made last; the oldest makes room for the next."""

    __slots__ = ("_at", "_ring")

    def __init__(self, size: int = READY) -> None:
        self._ring: list[Held | None] = [None] * size
        self._at = 0

    def keep(self, held: "Held", session: Session) -> None:
        oldest = self._ring[self._at]
        if oldest is not None:
            oldest.ready = None
        self._ring[self._at] = held
        self._at = (self._at + 1) % len(self._ring)
        held.ready = session


class Profile:
    """What sessions have in common that began alike: from one kind of device, on one wire."""

    __slots__ = (
        "__weakref__",
        "device",
        "dialect",
        "host",
        "idle",
        "kept",
        "kind",
        "methods",
        "tenant",
        "user_agent",
    )

    def __init__(self, kept: Ready, key: "ProfileKey") -> None:
        self.kept = kept
        self.tenant, self.dialect, self.kind, self.host, self.user_agent = key[:5]
        self.device, self.idle, self.methods = key[5:]


ProfileKey = tuple[
    TenantId, DialectName, Kind, str, str, Device, Duration | None, tuple[Method, ...]
]


class Profiles:
    """One profile of each sort, for as long as a session has it."""

    def __init__(self) -> None:
        self._known: WeakValueDictionary[ProfileKey, Profile] = WeakValueDictionary()
        self._ready = Ready()

    def profile(self, key: ProfileKey) -> Profile:
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = Profile(self._ready, key)
        return found


class Held(msgspec.Struct, gc=False, eq=False):
    """A session's place in memory, changed as the session changes.

    It is no dataclass because one weighs more, and is gone over by every garbage collection.
    `own` holds what is packed (see `Own`), or the session itself where it cannot be packed. Once
    the session is gone for good there is no token.
    """

    id: SessionId
    token: TokenHash
    subject: SubjectId
    profile: Profile
    own: bytes | Session
    last_seen: Instant
    ended: End | None
    ready: Session | None = None

    @property
    def gone(self) -> bool:
        return not self.token

    @property
    def tenant(self) -> TenantId:
        return self.profile.tenant

    @property
    def serial(self) -> Serial:
        if self.ready is not None:
            return self.ready.serial
        own = self.own
        return own.serial if isinstance(own, Session) else _unpack(own)[0]

    @property
    def deadline(self) -> Instant:
        """As of the session."""
        idle = self.profile.idle
        expires = self.expires
        return expires if idle is None else min(expires, Instant(self.last_seen + idle))

    @property
    def expires(self) -> Instant:
        if isinstance(self.own, Session):
            return self.own.expires
        _, created, length, *_ = _unpack(self.own)
        return Instant(created + length)

    @property
    def session(self) -> Session:
        if self.ready is not None:
            return self.ready
        if isinstance(self.own, Session):
            return self.own
        session = _made(self)
        self.profile.kept.keep(self, session)
        return session

    def passing(self) -> Session:
        """The session for one look, by whoever goes through many: nothing is kept ready."""
        if self.ready is not None:
            return self.ready
        return self.own if isinstance(self.own, Session) else _made(self)

    def seen(self, at: Instant) -> None:
        """It was used at that instant, which is later than all before.

        The session that is ready is this index's own making, and moves along: a check of a token
        in use would otherwise make a new one every time.
        """
        self.last_seen = at
        if isinstance(self.own, Session):
            self.own = replace(self.own, last_seen=at)
        elif self.ready is not None:
            _put_last_seen(self.ready, at)

    def end(self, end: End | None) -> None:
        """End it; or, with None, take its end back."""
        self.ended = end
        self.ready = None
        if isinstance(self.own, Session):
            self.own = replace(self.own, ended=end)

    def put(self, profiles: Profiles, session: Session) -> None:
        """Be that session from now on; its id, tenant, subject and serial are what they were."""
        self.token = session.token_hash
        self.profile = profiles.profile(_key(session))
        self.own = _packed(session)
        self.last_seen = session.last_seen
        self.ended = session.ended
        self.ready = None

    def leave(self) -> None:
        """The session is gone for good."""
        self.token = TokenHash(b"")
        self.ready = None


def hold(profiles: Profiles, session: Session, subject: SubjectId) -> Held:
    """`subject` is the session's, in the one copy of that text that is kept."""
    return Held(
        id=session.id,
        token=session.token_hash,
        subject=subject,
        profile=profiles.profile(_key(session)),
        own=_packed(session),
        last_seen=session.last_seen,
        ended=session.ended,
    )


def _key(session: Session) -> ProfileKey:
    return (
        TenantId(intern(session.tenant)),
        session.dialect,
        session.kind,
        session.host,
        session.user_agent,
        session.device,
        session.idle,
        tuple(factor.method for factor in session.factors),
    )


# --- packing ---

Own = tuple[
    Serial,
    Instant,
    Duration,
    str,
    int,
    list[Duration],
    Instant | None,
    TokenHash | None,
    list[TokenHash],
    list[tuple[ClientId, str, str]],
    SubjectId | None,
]
"""Serial, begin, length, address, port, and how long before its begin each factor was proven;
then, for the few sessions that have any of it: when the token stops, the refresh token, those
spent, the applications, who really sits there. Times and lengths are in milliseconds."""

_NOTHING_MORE = (None, None, (), (), None)

_encode = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder().decode


def pack(
    serial: int,
    created: int,
    expires: int,
    address: str,
    port: int,
    proven: Sequence[int],
) -> bytes:
    """A plain session; `proven` are the instants of its factors. Raises for odd values."""
    factors = [created - at for at in proven]
    return _encode((serial, created, expires - created, address, port, factors))


def _packed(one: Session) -> bytes | Session:
    """The session itself where a text or a number is too odd to be packed."""
    proven = [factor.at for factor in one.factors]
    if any(factor.context for factor in one.factors):
        return one
    try:
        own = pack(one.serial, one.created, one.expires, one.address, one.port, proven)
        more = (one.token_expires, one.refresh_hash, one.spent, one.participants, one.impersonator)
        if more != _NOTHING_MORE:
            joined = [(other.client, other.sid, other.account) for other in one.participants]
            own = _encode((*_unpack(own), *more[:3], joined, one.impersonator))
    except (OverflowError, UnicodeEncodeError):
        return one
    return own


def _factors(methods: Sequence[Method], created: int, proven: Sequence[int]) -> tuple[Factor, ...]:
    return tuple(
        Factor(method=method, at=Instant(created - before))
        for method, before in zip(methods, proven, strict=True)
    )


# A frozen dataclass's own __init__ takes three times as long as setting its slots.
_new = object.__new__
(
    _put_id,
    _put_tenant,
    _put_subject,
    _put_token_hash,
    _put_serial,
    _put_dialect,
    _put_kind,
    _put_address,
    _put_port,
    _put_host,
    _put_user_agent,
    _put_device,
    _put_factors,
    _put_created,
    _put_last_seen,
    _put_idle,
    _put_expires,
    _put_token_expires,
    _put_refresh_hash,
    _put_spent,
    _put_participants,
    _put_impersonator,
    _put_ended,
) = (vars(Session)[field.name].__set__ for field in fields(Session))


def _made(held: Held) -> Session:
    assert isinstance(held.own, bytes)
    serial, created, length, address, port, proven, *more = _unpack(held.own)
    profile = held.profile
    factors = () if not proven else _factors(profile.methods, created, proven)
    session: Session = _new(Session)
    _put_id(session, held.id)
    _put_tenant(session, profile.tenant)
    _put_subject(session, held.subject)
    _put_token_hash(session, held.token)
    _put_serial(session, serial)
    _put_dialect(session, profile.dialect)
    _put_kind(session, profile.kind)
    _put_address(session, address)
    _put_port(session, port)
    _put_host(session, profile.host)
    _put_user_agent(session, profile.user_agent)
    _put_device(session, profile.device)
    _put_factors(session, factors)
    _put_created(session, created)
    _put_last_seen(session, held.last_seen)
    _put_idle(session, profile.idle)
    _put_expires(session, created + length)
    token_expires, refresh, spent, joined, sitter = more or _NOTHING_MORE
    _put_token_expires(session, token_expires)
    _put_refresh_hash(session, refresh)
    _put_spent(session, tuple(spent))
    _put_participants(
        session, tuple(Participant(client=one[0], sid=one[1], account=one[2]) for one in joined)
    )
    _put_impersonator(session, sitter)
    _put_ended(session, held.ended)
    return session
