"""The native API's requests and answers, as they stand on the wire."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Text = Annotated[str, Meta(max_length=256)]
Secret = Annotated[str, Meta(max_length=1_024)]
Id = Annotated[str, Meta(min_length=1, max_length=128)]
SecondFactor = Literal["totp", "email"]
Time = Annotated[
    str, Meta(description="RFC 3339, UTC, milliseconds.", examples=["2026-11-21T05:04:03.210Z"])
]


class Asked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is not named is not accepted: no body can set more than it says here."""


class Told(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Optional members are left out when there is nothing to say."""


class Login(Asked, frozen=True, kw_only=True):
    """`code` answers a `second-factor-required` problem; `cookie` asks for a browser session."""

    username: Annotated[str, Meta(min_length=1, max_length=256)]
    password: Secret
    tenant: Text | None = None
    code: Text | None = None
    method: SecondFactor | None = None
    cookie: bool = False


class StepUp(Asked, frozen=True, kw_only=True):
    """A code, or, for an account without a second factor, the password."""

    code: Text | None = None
    method: SecondFactor | None = None
    password: Secret | None = None


class NewPassword(Asked, frozen=True, kw_only=True):
    current: Secret
    new: Annotated[str, Meta(min_length=8, max_length=1_024)]
    code: Text | None = None
    method: SecondFactor | None = None


class Impersonate(Asked, frozen=True, kw_only=True):
    """Whom, by id or by username, and why; the reason stays on record."""

    subject: Id | None = None
    username: Annotated[str, Meta(min_length=1, max_length=256)] | None = None
    reason: Annotated[str, Meta(min_length=1, max_length=500)]


class SelfScope(Asked, frozen=True, kw_only=True, tag_field="kind", tag="self"):
    """The session the call is made with."""


class SessionScope(Asked, frozen=True, kw_only=True, tag_field="kind", tag="session"):
    session: Id


class SubjectScope(Asked, frozen=True, kw_only=True, tag_field="kind", tag="subject"):
    """All sessions of somebody, or those begun at one dialect."""

    subject: Id
    dialect: Id | None = None


class OthersScope(Asked, frozen=True, kw_only=True, tag_field="kind", tag="others"):
    """All of one's own sessions but the one the call is made with."""


class DialectScope(Asked, frozen=True, kw_only=True, tag_field="kind", tag="dialect"):
    """Everybody's sessions begun at one dialect."""

    dialect: Id


class TenantScope(Asked, frozen=True, kw_only=True, tag_field="kind", tag="tenant"):
    """Everybody's sessions; with `keep_own`, all but the one the call is made with."""

    keep_own: bool = False


AnyScope = SelfScope | SessionScope | SubjectScope | OthersScope | DialectScope | TenantScope


class Logout(Asked, frozen=True, kw_only=True):
    """A `scope`, by default the session of the call, or else the `preview` of a mass logout.

    With a preview a `reason` is needed, and `start` may say when.
    """

    scope: AnyScope | None = None
    reason: Annotated[str, Meta(max_length=500, description="Kept in the receipt.")] = ""
    preview: Id | None = None
    start: Annotated[Time, Meta(max_length=64)] | None = None


class ListQuery(Asked, frozen=True, kw_only=True):
    subject: Id | None = None
    dialect: Id | None = None
    kind: Literal["browser", "non-browser", "api"] | None = None
    address: Annotated[str, Meta(max_length=64)] | None = None
    text: Annotated[str, Meta(max_length=100)] = ""
    live: bool = True
    before: Annotated[int, Meta(ge=0, le=2**53 - 1)] | None = None
    limit: Annotated[int, Meta(ge=1, le=500)] = 50


class LoggedIn(Told, frozen=True, kw_only=True):
    """`token` for a bearer session; `csrf` for a browser session, whose token is in the cookie."""

    session: str
    subject: str
    expires: Time
    token: str | None = None
    csrf: str | None = None


class Device(Told, frozen=True, kw_only=True):
    type: str = ""
    name: str = ""
    version: str = ""
    os_name: str = ""
    os_version: str = ""


class Factor(Told, frozen=True, kw_only=True):
    method: str
    at: Time


class End(Told, frozen=True, kw_only=True):
    """`by` is missing when a rule of the house ended the session."""

    at: Time
    why: str
    by: str | None = None


class Session(Told, frozen=True, kw_only=True):
    """`deadline` is when it ends unless it is used before, `expires` when it ends at the latest.

    `impersonator` is who really sits there, if that is not the subject.
    """

    id: str
    subject: str
    tenant: str
    dialect: str
    kind: str
    address: str
    created: Time
    last_seen: Time
    deadline: Time
    expires: Time
    factors: tuple[Factor, ...]
    username: str | None = None
    impersonator: str | None = None
    current: bool = False
    user_agent: str = ""
    device: Device | None = None
    ended: End | None = None
    csrf: str | None = None


class SessionList(Told, frozen=True, kw_only=True):
    """`next` is the `before` of the following page; it is missing on the last one."""

    sessions: tuple[Session, ...]
    total: int
    next: int | None = None


class Account(Told, frozen=True, kw_only=True):
    subject: str
    tenant: str
    username: str
    name: str
    email: str
    role: str
    rank: str
    permissions: tuple[str, ...]
    groups: tuple[str, ...]
    second_factors: tuple[str, ...]


class ReceiptScope(Told, frozen=True, kw_only=True):
    """`sessions` is how many were meant, where a logout named them one by one."""

    kind: Literal["session", "sessions", "subject", "dialect", "tenant"]
    session: str | None = None
    sessions: int | None = None
    subject: str | None = None
    dialect: str | None = None
    keep: str | None = None


class Receipt(Told, frozen=True, kw_only=True):
    """`complete` once every covered session's row is ended; all of them are refused before that."""

    id: str
    at: Time
    scope: ReceiptScope
    why: str
    by: str | None
    by_name: str
    reason: str
    via: str
    sessions_ended: int
    complete: bool


class Actor(Told, frozen=True, kw_only=True):
    """RFC 8693 4.1: who acts in the subject's place."""

    sub: str


class Introspection(Told, frozen=True, kw_only=True):
    """RFC 7662 2.2. `active` alone for every token that does not count."""

    active: bool
    sub: str | None = None
    username: str | None = None
    token_type: str | None = None
    iss: str | None = None
    iat: int | None = None
    exp: int | None = None
    auth_time: int | None = None
    amr: tuple[str, ...] = ()
    sid: str | None = None
    tenant: str | None = None
    role: str | None = None
    dialect: str | None = None
    act: Actor | None = None


class FeedPosition(Told, frozen=True, kw_only=True):
    """How far the revocation feed has come: its epoch, and a number within it."""

    position: Annotated[str, Meta(examples=["6f1c0e5a:4711"])]


class FeedScope(Told, frozen=True, kw_only=True):
    """Every session of a subject, or one somebody else sits in; of all subjects without one.

    With a `dialect` those begun there alone.
    """

    tenant: str
    subject: str | None = None
    dialect: str | None = None


class FeedEvent(Told, frozen=True, kw_only=True):
    """What may be answered differently from the position `at` on; `tokens` are SHA-256 in hex."""

    at: str
    tokens: tuple[str, ...] = ()
    sessions: tuple[str, ...] = ()
    scopes: tuple[FeedScope, ...] = ()


class Problem(Told, frozen=True, kw_only=True):
    """RFC 9457. `code` is the last part of `type`; `retry_after` in seconds."""

    type: str
    title: str
    status: int
    code: str
    request_id: str
    detail: str | None = None
    field: str | None = None
    attempts_left: int | None = None
    retry_after: int | None = None
    method: str | None = None
    methods: tuple[str, ...] | None = None
    sent: bool | None = None
    code_expires: Time | None = None
    error: str | None = None


class ProblemType(Told, frozen=True, kw_only=True):
    """What a problem's `type` leads to."""

    type: str
    title: str
    status: int
    meaning: str
