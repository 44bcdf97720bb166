"""A small world to test in: fakes at every port, the reference store, and the demo's accounts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from lastcall.domain.policy import Policy
from lastcall.domain.session import Device
from lastcall.domain.subject import Subject
from lastcall.domain.token import digest_password
from lastcall.domain.types import Instant, Serial, SubjectId, TenantId
from lastcall.ports import Env, Store
from lastcall.stores.memory import MemoryStore
from lastcall.wire import Call, Dialect, Reply
from tests.fakes import (
    EPOCH,
    CountingEntropy,
    CountingLimiter,
    FakeApplications,
    FakeClock,
    FakeMailer,
    FakePasswords,
    FakeSigner,
    FakeTotp,
    FakeVault,
)

TENANT = TenantId("default")
OTHER = TenantId("other")


def subject(username: str, password: str, role: str = "monitor", **more: Any) -> Subject:
    """An account with the id `u-USERNAME`."""
    tenant = more.pop("tenant", TENANT)
    return Subject(
        id=SubjectId(f"u-{username}"),
        tenant=tenant,
        username=username,
        password_hash=f"fake${digest_password(password)}",
        role=role,
        version=Serial(0),
        created=Instant(EPOCH),
        changed=Instant(EPOCH),
        **more,
    )


ACCOUNTS = (
    subject("admin", "Admin_1234", "admin", email="admin@example.com", name="Ada Admin"),
    subject("engineer", "Engineer_1234", "engineer", email="engineer@example.com"),
    subject("monitor", "Monitor_1234", email="monitor@example.com"),
    subject(
        "john",
        "johnpassword",
        first_name="John",
        last_name="Doe",
        email="john@domain.com",
        groups=("administrator",),
    ),
    subject(
        "owner",
        "owner",
        first_name="owner",
        last_name="owner",
        email="owner@soajs.org",
        groups=("owner",),
    ),
    subject(
        "tess",
        "Tess_1234",
        "admin",
        email="tess@example.com",
        totp_secret=FakeVault().seal("JBSWY3DPEHPK3PXP", "totp:u-tess"),
        backup_codes=(FakeVault().mac("backup01", "backup-code:u-tess"),),
    ),
    subject("emil", "Emil_1234", "admin", email="emil@example.com", email_codes=True),
    subject("gone", "Gone_1234", enabled=False),
    subject("stranger", "Stranger_1234", "admin", tenant=OTHER),
    subject("john", "johnpassword", tenant=OTHER, email="john@other.example"),
)


def device_of(user_agent: str) -> Device:
    """The first product of a user agent, enough for conversations."""
    name, _, version = user_agent.partition(" ")[0].partition("/")
    return Device(type="other" if name else "", name=name, version=version)


@dataclass
class World:
    """Everything a test needs in one hand."""

    env: Env
    clock: FakeClock
    entropy: CountingEntropy
    mailer: FakeMailer
    totp: FakeTotp
    vault: FakeVault
    limiter: CountingLimiter
    tenants: Mapping[TenantId, Policy] = field(default_factory=dict)

    def call(
        self,
        dialect: Dialect[Any],
        method: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        *,
        settings: Any = None,
        address: str = "192.168.2.103",
        port: int = 59486,
        tenant: TenantId = TENANT,
        host: str = "127.0.0.1:8700",
    ) -> Call[Any]:
        """The call a request would become."""
        path, _, query = target.partition("?")
        collected: dict[str, tuple[str, ...]] = {}
        for name, value in (headers or {}).items():
            collected[name.lower()] = (*collected.get(name.lower(), ()), value)
        return Call(
            env=self.env,
            settings=settings if settings is not None else dialect.settings(),
            tenant=tenant,
            dialect=dialect.name,
            method=method,
            path=unquote(path),
            query=query,
            headers=collected,
            body=body,
            address=address,
            port=port,
            host=host,
            public_url=f"http://{host}",
            request_id="request-1",
            limiter=self.limiter,
        )

    async def ask(self, dialect: Dialect[Any], method: str, target: str, **more: Any) -> Reply:
        return await dialect.answer(self.call(dialect, method, target, **more))


def a_store() -> MemoryStore:
    """With a feed whose positions can be written down."""
    store = MemoryStore()
    store.feed.restart("tests", 0)
    return store


async def make_world(store: Store | None = None, policy: Policy | None = None) -> World:
    """A world with the accounts in it, in the tenants `default` and `other`."""
    clock, entropy, vault = FakeClock(), CountingEntropy(), FakeVault()
    mailer, totp = FakeMailer(), FakeTotp()
    policies = {TENANT: policy or Policy(), OTHER: policy or Policy()}
    env = Env(
        store=store or a_store(),
        clock=clock,
        entropy=entropy,
        passwords=FakePasswords(),
        totp=totp,
        mailer=mailer,
        vault=vault,
        signer=FakeSigner(),
        applications=FakeApplications(),
        policies=policies,
        device_of=device_of,
    )
    for tenant in policies:
        async with env.store.transaction(tenant) as tx:
            for account in ACCOUNTS:
                if account.tenant == tenant:
                    await tx.add_subject(account)
    return World(
        env=env,
        clock=clock,
        entropy=entropy,
        mailer=mailer,
        totp=totp,
        vault=vault,
        limiter=CountingLimiter(clock),
        tenants=policies,
    )
