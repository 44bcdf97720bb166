"""What the native API is asked and tells about applications, joining, and mass logouts."""

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from lastcall.dialects.native.proof_shapes import Delivery
from lastcall.dialects.native.shapes import Asked, Receipt, SecondFactor, Text, Time, Told

Name = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"\S")]
Values = Annotated[
    dict[
        Annotated[str, Meta(min_length=1, max_length=64)],
        Annotated[str, Meta(max_length=4_096)],
    ],
    Meta(max_length=32),
]
Can = Literal["session", "subject", "new-tokens", "none"]
Calls = Literal["sid", "sub", "both"]
AccountRule = Literal["username", "email", "subject"]
Timeout = Annotated[int, Meta(ge=100, le=60_000, description="Milliseconds one try may take.")]
Concurrency = Annotated[int, Meta(ge=1, le=1_000)]
Outlives = Annotated[
    int,
    Meta(ge=0, le=10**9, description="Seconds its own sessions go on without a notice."),
]
Names = Annotated[tuple[Text, ...], Meta(max_length=100)]
Users = Annotated[tuple[Text, ...], Meta(max_length=100_000)]
Networks = Annotated[tuple[Annotated[str, Meta(max_length=64)], ...], Meta(max_length=100)]
Seconds = Annotated[int, Meta(ge=0, le=10**9)]


class NewApp(Asked, frozen=True, kw_only=True):
    """`settings` and `secrets` are those of the connector; without one it cannot be told."""

    name: Name
    owner: Text = ""
    connector: Annotated[str, Meta(max_length=64)] = ""
    settings: Values = msgspec.field(default_factory=dict)
    secrets: Values = msgspec.field(default_factory=dict)
    can: Can = "session"
    naming: Calls = "sid"
    account: AccountRule = "username"
    timeout_ms: Timeout = 5_000
    concurrency: Concurrency = 8
    outlives_seconds: Outlives = 28_800
    always: bool = False
    private: bool = False
    enabled: bool = True


class AppChange(Asked, frozen=True, kw_only=True):
    """What is left out stays. `settings` replaces them all, `secrets` those named; "" drops one."""

    name: Name | None = None
    owner: Text | None = None
    connector: Annotated[str, Meta(max_length=64)] | None = None
    settings: Values | None = None
    secrets: Values = msgspec.field(default_factory=dict)
    can: Can | None = None
    naming: Calls | None = None
    account: AccountRule | None = None
    timeout_ms: Timeout | None = None
    concurrency: Concurrency | None = None
    outlives_seconds: Outlives | None = None
    always: bool | None = None
    private: bool | None = None
    enabled: bool | None = None


class App(Told, frozen=True, kw_only=True):
    """Of `secrets` the names alone. `declared`: the configuration has the last word at start."""

    id: str
    name: str
    owner: str
    connector: str
    settings: Mapping[str, str]
    secrets: tuple[str, ...]
    can: str
    naming: str
    account: str
    timeout_ms: int
    concurrency: int
    outlives_seconds: int
    always: bool
    private: bool
    enabled: bool
    declared: bool
    created: Time
    changed: Time


class AppList(Told, frozen=True, kw_only=True):
    apps: tuple[App, ...]


class Trial(Told, frozen=True, kw_only=True):
    """What came of a notice that can end nothing; `means` is for a person."""

    app: str
    outcome: Literal["done", "unknown", "retry", "refused"]
    took_ms: int
    means: str
    status: int | None = None
    error: str | None = None


class DeliveryQuery(Asked, frozen=True, kw_only=True):
    state: (
        Literal[
            "queued",
            "sent",
            "acknowledged",
            "verified",
            "refused",
            "unreachable",
            "cannot-be-told",
        ]
        | None
    ) = None
    after: Annotated[str, Meta(max_length=128)] = ""
    limit: Annotated[int, Meta(ge=1, le=500)] = 100


class DeliveryList(Told, frozen=True, kw_only=True):
    """`next` is the `after` of the following page; it is missing on the last one."""

    deliveries: tuple[Delivery, ...]
    next: str | None = None


class AccountName(Asked, frozen=True, kw_only=True):
    """What a subject is called there; empty leaves it to the application's rule."""

    account: Text


class Join(Asked, frozen=True, kw_only=True):
    """`sid` is the application's own name for the session, `account` its name for the user.

    A service names the session by its `token`, and may leave `app` out if it is called the same.
    """

    app: Text | None = None
    sid: Annotated[str, Meta(max_length=512)] = ""
    account: Annotated[str, Meta(max_length=512)] = ""
    token: Annotated[str, Meta(max_length=4_096)] | None = None


class Joined(Told, frozen=True, kw_only=True):
    session: str
    app: str
    participants: int
    sid: str | None = None
    account: str | None = None


class Criteria(Asked, frozen=True, kw_only=True):
    """All that are given must hold; a list holds for any of its members. Nothing: everybody.

    `users` are usernames or ids, `apps` names or ids, `networks` addresses or CIDR blocks,
    `countries` ISO 3166 codes, `device` a part of what the user agent says.
    """

    users: Users = ()
    apps: Names = ()
    roles: Names = ()
    groups: Names = ()
    networks: Networks = ()
    countries: Names = ()
    device: Text = ""
    dialects: Names = ()
    older_than_seconds: Seconds | None = None
    idle_for_seconds: Seconds | None = None
    factor: SecondFactor | Literal["password"] | None = None
    without_factor: SecondFactor | Literal["password"] | None = None


class Preview(Told, frozen=True, kw_only=True):
    """The exact set a logout with this `id` ends, until it `expires`.

    `cannot_be_told` names the applications that will not hear of it, `unknown_users` what was
    asked for in vain.
    """

    id: str
    at: Time
    expires: Time
    users: int
    sessions: int
    applications: int
    cannot_be_told: tuple[str, ...]
    self_included: bool
    last_admin: bool
    unknown_users: tuple[str, ...] = ()


class Drift(Told, frozen=True, kw_only=True):
    """Since the preview: sessions of it that had ended, and others the criteria name by now."""

    ended_since: int
    new_since: int


class PreviewedReceipt(Receipt, frozen=True, kw_only=True):
    drift: Drift | None = None


class Plan(Told, frozen=True, kw_only=True):
    """A mass logout that waits: for a second person, or for its time."""

    id: str
    state: Literal["waiting", "scheduled", "done", "cancelled", "refused"]
    preview: str
    users: int
    sessions: int
    reason: str
    at: Time
    start: Time
    by_name: str
    approved_by_name: str | None = None
    receipt: str | None = None


class PlanList(Told, frozen=True, kw_only=True):
    plans: tuple[Plan, ...]
