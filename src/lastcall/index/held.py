"""A session as memory holds it: what many share kept once, what is its own packed into few bytes.

A million sessions are held, a few thousand of them are in use. Those that are have their `Session`
ready; for the others one is made when somebody asks, and forgotten when its place is needed.
"""

from collections.abc import Sequence
from dataclasses import fields
from socket import AF_INET, inet_ntop, inet_pton
from sys import intern
from weakref import WeakValueDictionary

import msgspec

from lastcall.domain.factor import Factor, Method
from lastcall.domain.session import Device, End, Participant, Session
from lastcall.domain.types import (
    DialectName,
    Duration,
    Instant,
    Kind,
    Serial,
    SessionId,
    SubjectId,
    TenantId,
    TokenHash,
    later,
)

READY = 16_384
"""Sessions that are kept as such, for as long as they are among the latest asked for."""


class Ready:
    """The sessions made last; the oldest is packed again when its place is needed."""

    __slots__ = ("_at", "_ring")

    def __init__(self, size: int = READY) -> None:
        self._ring: list[Held | None] = [None] * size
        self._at = 0

    def keep(self, held: "Held") -> None:
        oldest = self._ring[self._at]
        if oldest is not None:
            oldest.pack()
        self._ring[self._at] = held
        self._at = (self._at + 1) % len(self._ring)

    def let_go(self) -> None:
        """Keep none. Whoever leaves an index has to: the garbage collector does not look into a
        `Held`, and so would never see that nobody but these keep one another."""
        self._ring = [None] * len(self._ring)


class Profile:
    """What sessions have in common that began alike: from one kind of device, on one wire."""

    __slots__ = (
        "__weakref__",
        "device",
        "dialect",
        "host",
        "idle",
        "kind",
        "length",
        "methods",
        "ready",
        "tenant",
        "user_agent",
    )

    def __init__(self, ready: Ready, key: "ProfileKey") -> None:
        self.ready = ready
        self.tenant, self.dialect, self.kind, self.host, self.user_agent = key[:5]
        self.device, self.idle, self.length, self.methods = key[5:]


ProfileKey = tuple[
    TenantId, DialectName, Kind, str, str, Device, Duration | None, Duration, tuple[Method, ...]
]


class Profiles:
    """One profile of each sort, for as long as a session has it."""

    def __init__(self, ready: Ready | None = None) -> None:
        self._known: WeakValueDictionary[ProfileKey, Profile] = WeakValueDictionary()
        self._ready = ready or Ready()

    def profile(self, key: ProfileKey) -> Profile:
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = Profile(self._ready, key)
        return found

    def let_go(self) -> None:
        """Whatever has one of these is of no use any more."""
        self._ready.let_go()


class Held(msgspec.Struct, gc=False, eq=False):
    """A session's place in memory, changed as the session changes.

    It is no dataclass because one weighs more, and is gone over by every garbage collection.
    `own` is what is packed (see `pack`), or the session: while it is in use, and always where it
    cannot be packed. Once the session is gone for good there is no token.
    """

    id: SessionId
    token: TokenHash
    subject: SubjectId
    profile: Profile
    own: bytes | Session
    ended: End | None

    @property
    def gone(self) -> bool:
        return not self.token

    @property
    def tenant(self) -> TenantId:
        return self.profile.tenant

    @property
    def serial(self) -> Serial:
        own = self.own
        return own.serial if isinstance(own, Session) else _unpack(own)[0]

    @property
    def last_seen(self) -> Instant:
        own = self.own
        if isinstance(own, Session):
            return own.last_seen
        _, created, unseen, *_ = _unpack(own)
        return Instant(created + unseen)

    @property
    def expires(self) -> Instant:
        own = self.own
        if isinstance(own, Session):
            return own.expires
        return Instant(_unpack(own)[1] + self.profile.length)

    @property
    def deadline(self) -> Instant:
        """As of the session."""
        idle = self.profile.idle
        return self.expires if idle is None else min(self.expires, later(self.last_seen, idle))

    @property
    def session(self) -> Session:
        """Ready for the next time it is asked for."""
        own = self.own
        if not isinstance(own, Session):
            own = self.own = _made(self, own)
            self.profile.ready.keep(self)
        return own

    def passing(self) -> Session:
        """The session for one look, by whoever goes through many."""
        own = self.own
        return own if isinstance(own, Session) else _made(self, own)

    def seen(self, at: Instant) -> None:
        """It was used at that instant, which is later than all before.

        The session here is the index's own making, and moves along: a check of a token in use
        would otherwise make a new one every time.
        """
        _put_last_seen(self.session, at)

    def end(self, end: End | None) -> None:
        """End it; or, with None, take its end back."""
        self.ended = end
        if isinstance(self.own, Session):
            self.own = _copied(self.own)
            _put_ended(self.own, end)

    def put(self, profiles: Profiles, session: Session) -> None:
        """Be that session from now on; its id, tenant, subject and serial are what they were."""
        self.token = session.token_hash
        self.profile = profiles.profile(_key(session))
        self.own = _packed(session)
        self.ended = session.ended

    def pack(self) -> None:
        """It is not in use any more."""
        if isinstance(self.own, Session):
            self.own = _packed(self.own)

    def leave(self) -> None:
        """The session is gone for good."""
        self.token = TokenHash(b"")


def hold(profiles: Profiles, session: Session, subject: SubjectId) -> Held:
    """`subject` is the session's, in the one copy of that text that is kept."""
    return Held(
        id=session.id,
        token=session.token_hash,
        subject=subject,
        profile=profiles.profile(_key(session)),
        own=_packed(session),
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
        Duration(session.expires - session.created),
        tuple(factor.method for factor in session.factors),
    )


# --- packing ---

_encode_into = msgspec.msgpack.Encoder().encode_into
_unpack = msgspec.msgpack.Decoder().decode

_NOTHING_MORE = (None, None, (), (), None)


def pack(own: tuple[object, ...], room: bytearray) -> bytes:
    """Numbers, and what few sessions have: in the usual case 31 bytes, so that they take 64.

    Those are the serial, the begin, how long after it the session was seen, the address, the
    port, and how long before its begin each factor was proven, in milliseconds; then, if there is
    any of it, when the token stops, the refresh token, those spent, the applications, and who
    really sits there. Raises `OverflowError` and `UnicodeEncodeError` for what is too odd.

    The encoder writes into `room`: bytes that it made itself would keep room to grow.
    """
    _encode_into(own, room)
    return bytes(room)


def place_of(address: str) -> int | str:
    """An address as it is packed: most are a number of four bytes."""
    try:
        return int.from_bytes(inet_pton(AF_INET, address))
    except (OSError, ValueError):
        return address


def _packed(one: Session) -> bytes | Session:
    """The session where a text or a number is too odd to be packed."""
    more: tuple[object, ...] = (
        one.token_expires,
        one.refresh_hash,
        one.spent,
        tuple((other.client, other.sid, other.account) for other in one.participants),
        one.impersonator,
    )
    if more == _NOTHING_MORE:
        more = ()
    if any(factor.context for factor in one.factors):
        return _copied(one)
    begun = one.created
    before = [begun - factor.at for factor in one.factors]
    own = (one.serial, begun, one.last_seen - begun, place_of(one.address), one.port)
    try:
        return pack((*own, *before, *more), bytearray())
    except (OverflowError, UnicodeEncodeError):
        return _copied(one)


def _factors(methods: Sequence[Method], created: int, proven: Sequence[int]) -> tuple[Factor, ...]:
    return tuple(
        Factor(method=method, at=Instant(created - before))
        for method, before in zip(methods, proven, strict=False)
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


_SLOTS = [(vars(Session)[field.name].__set__, field.name) for field in fields(Session)]


def _copied(session: Session) -> Session:
    copy: Session = _new(Session)
    for put, name in _SLOTS:
        put(copy, getattr(session, name))
    return copy


def _made(held: Held, own: bytes) -> Session:
    profile = held.profile
    serial, created, unseen, address, port, *rest = _unpack(own)
    if isinstance(address, int):
        address = inet_ntop(AF_INET, address.to_bytes(4))
    factors: tuple[Factor, ...] = ()
    if profile.methods:
        factors = _factors(profile.methods, created, rest)
        del rest[: len(factors)]
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
    _put_last_seen(session, created + unseen)
    _put_idle(session, profile.idle)
    _put_expires(session, created + profile.length)
    token_expires, refresh, spent, joined, sitter = rest or _NOTHING_MORE
    _put_token_expires(session, token_expires)
    _put_refresh_hash(session, refresh)
    _put_spent(session, tuple(spent))
    _put_participants(
        session, tuple(Participant(client=one[0], sid=one[1], account=one[2]) for one in joined)
    )
    _put_impersonator(session, sitter)
    _put_ended(session, held.ended)
    return session
