"""What can be set, what it is unless it is set, and within which bounds."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

from lastcall.domain.attempts import Limit
from lastcall.domain.client import Ability, AccountRule, Naming
from lastcall.domain.policy import Policy, WhenFull
from lastcall.domain.types import DAY, Duration, TenantId
from lastcall.settings.values import HostName, Network, NodeName, PublicUrl, Secret, Span, StoreUrl

AtLeastOne = Annotated[int, msgspec.Meta(ge=1)]
NotNegative = Annotated[int, msgspec.Meta(ge=0)]
Port = Annotated[int, msgspec.Meta(ge=0, le=65_535)]

USUAL = Policy()
MIB = 1024 * 1024


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One table of the file."""


class ServerSettings(Section, frozen=True, kw_only=True):
    """`public_url` empty: made of host and port. `max_body` in bytes. `geoip` is the path of a
    MaxMind DB file that knows countries; empty: countries are not known."""

    host: str = "127.0.0.1"
    port: Port = 8700
    public_url: PublicUrl = PublicUrl("")
    trusted_proxies: tuple[Network, ...] = ()
    drain_seconds: Annotated[int, msgspec.Meta(ge=0, le=3_600)] = 10
    max_body: Annotated[int, msgspec.Meta(ge=1_024, le=64 * MIB)] = MIB
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    geoip: str = ""


class StoreSettings(Section, frozen=True, kw_only=True):
    """Paths; empty ones lie beside the database. `heads_every` is how often the head of the audit
    chain is signed and written down, if it has changed. What follows `heads_every` is about
    PostgreSQL alone: `timeout` is how long the database may take for an answer, `connect_timeout`
    for a connection."""

    url: StoreUrl = StoreUrl("sqlite:lastcall.db")
    witness: str = ""
    key_file: str = ""
    signing_keys: str = ""
    heads: str = ""
    heads_every: Span = Span(10_000)
    password: str = ""
    node: NodeName = NodeName("")
    mode: Literal["strict", "leased"] = "strict"
    lease: Span = Span(2_000)
    synchronous_commit: Literal["on", "local", "remote_write", "remote_apply"] = "on"
    connect_timeout: Span = Span(3_000)
    timeout: Span = Span(5_000)

    @property
    def on_postgres(self) -> bool:
        return not self.url.startswith("sqlite:")

    @property
    def path(self) -> str:
        """Where the database file is; with PostgreSQL, where it would be."""
        return "lastcall" if self.on_postgres else self.url.partition(":")[2]

    def __repr__(self) -> str:
        return f"StoreSettings({'postgresql' if self.on_postgres else self.url})"


class LimitSettings(Section, frozen=True, kw_only=True):
    """After `tries` failures within `window`, locked for `lockout`; 0 tries: never."""

    tries: NotNegative | None = None
    window: Span | None = None
    lockout: Span | None = None

    def over(self, usual: Limit) -> Limit:
        """The limit, with the usual one for what is not set."""
        return Limit(
            tries=usual.tries if self.tries is None else self.tries,
            window=Duration(usual.window if self.window is None else self.window),
            lockout=Duration(usual.lockout if self.lockout is None else self.lockout),
        )


class TenantSettings(Section, frozen=True, kw_only=True):
    """One tenant: the host names it claims, and its rules (see `domain.policy.Policy`)."""

    hosts: tuple[HostName, ...] = ()
    sessions_per_subject: NotNegative = USUAL.sessions_per_subject
    when_full: WhenFull = USUAL.when_full
    subject_lockout: LimitSettings = LimitSettings()
    address_lockout: LimitSettings = LimitSettings()
    factor_lockout: LimitSettings = LimitSettings()
    second_factor_for_others: bool = USUAL.second_factor_for_others
    second_person_for_mass: bool = USUAL.second_person_for_mass
    preview_life: Span = Span(USUAL.preview_life)
    step_up_life: Span = Span(USUAL.step_up_life)
    email_code_life: Span = Span(USUAL.email_code_life)
    email_code_tries: AtLeastOne = USUAL.email_code_tries
    retention: Span | None = None
    """None: as long as tombstones must be kept, see `LastcallSettings.least_retention`."""

    def policy(self, least_retention: Duration = Duration(0)) -> Policy:
        return Policy(
            sessions_per_subject=self.sessions_per_subject,
            when_full=self.when_full,
            subject_lockout=self.subject_lockout.over(USUAL.subject_lockout),
            address_lockout=self.address_lockout.over(USUAL.address_lockout),
            factor_lockout=self.factor_lockout.over(USUAL.factor_lockout),
            second_factor_for_others=self.second_factor_for_others,
            second_person_for_mass=self.second_person_for_mass,
            preview_life=Duration(self.preview_life),
            step_up_life=Duration(self.step_up_life),
            email_code_life=Duration(self.email_code_life),
            email_code_tries=self.email_code_tries,
            retention=Duration(self.retention or max(USUAL.retention, least_retention)),
        )


class MailSettings(Section, frozen=True, kw_only=True):
    """Codes go to files in `folder`, or out through the SMTP server `host`; not both."""

    folder: str = ""
    host: str = ""
    port: Port = 587
    username: str = ""
    password: str = ""
    sender: str = msgspec.field(default="", name="from")
    tls: Literal["starttls", "tls", "none"] = "starttls"
    ca_file: str = ""

    def __repr__(self) -> str:
        where = f"folder={self.folder!r}" if self.folder else f"host={self.host!r}"
        return f"MailSettings({where})"


class PasswordSettings(Section, frozen=True, kw_only=True):
    """What a password hash costs, how many are computed at once, and how many may wait.

    `concurrency` 0: all processors but one.
    """

    memory_kib: Annotated[int, msgspec.Meta(ge=7_168, le=4_194_304)] = 19 * 1024
    passes: Annotated[int, msgspec.Meta(ge=1, le=100)] = 2
    lanes: Annotated[int, msgspec.Meta(ge=1, le=16)] = 1
    concurrency: Annotated[int, msgspec.Meta(ge=0, le=256)] = 0
    queue: NotNegative = 64


class OutboxSettings(Section, frozen=True, kw_only=True):
    """How applications are told: how many at once, and how patiently.

    After `break_after` failures in a row an application is left alone for a while. A try that was
    under way when a server died is taken up again `claim` after the application's own timeout.
    A notice that does not get through for `patience` is given up, and the receipt says so.
    `ca_file` holds further authorities that applications' certificates may come from.
    """

    in_flight: Annotated[int, msgspec.Meta(ge=1, le=65_536)] = 1_024
    claim: Span = Span(30_000)
    break_after: AtLeastOne = 5
    patience: Span = Span(3 * DAY)
    ca_file: str = ""


class TelemetrySettings(Section, frozen=True, kw_only=True):
    """Traces, sent to the collector at `otlp_endpoint` (OTLP over HTTP) with these `headers`.

    Empty: none are made. `sample` is the share of what begins here that is traced. Applications
    get a `traceparent` with their notices if `tell_applications`.
    """

    otlp_endpoint: str = ""
    headers: Mapping[str, Secret] = {}
    sample: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0
    service: str = "lastcall"
    tell_applications: bool = False


class AppSettings(Section, frozen=True, kw_only=True):
    """One application (see `domain.client.Client`); `name` is the table's own unless given."""

    tenant: str = "default"
    name: str = ""
    owner: str = ""
    connector: str = ""
    settings: Mapping[str, str] = {}
    secrets: Mapping[str, Secret] = {}
    can: Ability = Ability.SESSION
    naming: Naming = Naming.SID
    account: AccountRule = AccountRule.USERNAME
    timeout: Span = Span(5_000)
    concurrency: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 8
    outlives: Span = Span(8 * 3_600_000)
    always: bool = False
    private: bool = False


class LastcallSettings(Section, frozen=True, kw_only=True):
    """The whole file. `dialects` holds one checked Struct for each dialect there is."""

    server: ServerSettings = ServerSettings()
    store: StoreSettings = StoreSettings()
    tenants: Mapping[str, TenantSettings] = {}
    mail: MailSettings = MailSettings()
    passwords: PasswordSettings = PasswordSettings()
    outbox: OutboxSettings = OutboxSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    apps: Mapping[str, AppSettings] = {}
    dialects: Mapping[str, Any] = {}

    @property
    def longest(self) -> tuple[str, int]:
        """The dialect whose tokens can count longest, and how long, in milliseconds."""
        lives = {name: one.longest_life for name, one in self.dialects.items() if one.enabled}
        return max(lives.items(), key=lambda pair: pair[1], default=("", 0))

    @property
    def least_retention(self) -> Duration:
        """A tombstone must outlive every token that could name it, with a day to spare."""
        return Duration(self.longest[1] + DAY)

    def policies(self) -> Mapping[TenantId, Policy]:
        least = self.least_retention
        return {TenantId(name): one.policy(least) for name, one in self.tenants.items()}
