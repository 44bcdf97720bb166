"""The composition root: the one module that knows which backends are in use."""

import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import structlog

from lastcall import logs
from lastcall.applications import Nowhere, Reach, problems
from lastcall.authenticators.device import device_of
from lastcall.authenticators.mail import QueuedMailer, SmtpServer, folder_mailer, smtp_mailer
from lastcall.authenticators.password import Argon2Passwords
from lastcall.authenticators.totp import AuthenticatorApp
from lastcall.authenticators.vault import KeyFileError, open_vault
from lastcall.authority.audit_heads import sign_head
from lastcall.authority.declared import Declared, declare
from lastcall.authority.plans import run_plans
from lastcall.authority.sweep import sweep
from lastcall.background import kept_up, repeated
from lastcall.connectors import CONNECTORS
from lastcall.control.channel import Channel, socket_of
from lastcall.control.operations import READING, run
from lastcall.control.records import Result
from lastcall.dialects import DIALECTS
from lastcall.domain.client import Client
from lastcall.domain.errors import AuthorityError, Invalid, StoreUnavailable
from lastcall.domain.types import ClientId, DialectName, Duration, Instant, TenantId
from lastcall.egress import HttpEgress
from lastcall.geo import GeoFileUnreadable, open_countries
from lastcall.http import BACKLOG, Draining, Mount, Readiness, ServerFacts, build
from lastcall.limiter import MemoryLimiter
from lastcall.machine import SystemClock, SystemEntropy, settle_memory
from lastcall.metrics import Metrics
from lastcall.outbox import Pace, Worker
from lastcall.outward import Connector, Egress, Signer
from lastcall.ports import Env
from lastcall.settings import (
    AppSettings,
    Complaint,
    Configured,
    LastcallSettings,
    PasswordSettings,
    read_file,
    url_of,
)
from lastcall.signing import Keyring, SigningKeysUnusable, open_keyring
from lastcall.stores.heads import HeadsFile
from lastcall.stores.sqlite import RolledBack, SqliteStore

log = structlog.stdlib.get_logger("main")


class CannotStart(Exception):
    """Something outside this program is in the way; the text says what."""


class StoreRestored(CannotStart):
    """The database is older than its witness: an operator has to decide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backends:
    """What is open, so that it can be closed."""

    env: Env
    store: SqliteStore
    passwords: Argon2Passwords
    mailer: QueuedMailer
    signer: Keyring
    egress: HttpEgress
    connectors: Mapping[str, Connector]


Ready = Callable[[Env, str], Awaitable[Any]]
"""Called with the address it will be served at, before the first request; what it returns is
shown as /demo.json unless it is None."""


def configured(path: Path, environ: Mapping[str, str] = os.environ) -> Configured:
    """Raises `SettingsWrong`."""
    kinds: dict[str, type[msgspec.Struct]] = {one.name: one.settings for one in DIALECTS}
    settings = read_file(path, environ, kinds, _app_rules)
    return Configured(settings=settings, base=path.absolute().parent)


@asynccontextmanager
async def opened(
    configured: Configured, *, accept_rollback: bool = False
) -> AsyncIterator[Backends]:
    """Everything the verbs need, for as long as the block lasts. Raises `CannotStart`."""
    settings = configured.settings
    try:
        country_of = open_countries(configured.geoip) if configured.geoip else None
        vault = open_vault(configured.key_file)
        store = await SqliteStore.open(
            configured.store, witness=configured.witness, accept_rollback=accept_rollback
        )
    except RolledBack as error:
        raise StoreRestored(str(error)) from error
    except (GeoFileUnreadable, KeyFileError, StoreUnavailable) as error:
        raise CannotStart(str(error)) from error
    try:
        signer = await open_keyring(configured.signing_keys, vault, configured.issuer)
    except SigningKeysUnusable as error:
        await store.close()
        raise CannotStart(str(error)) from error
    passwords, mailer = _passwords(settings.passwords), _mailer(configured)
    clock, entropy = SystemClock(store.floor), SystemEntropy()
    ca_file = settings.outbox.ca_file
    egress = HttpEgress(authorities=configured.path(ca_file) if ca_file else None)
    connectors = _connectors(egress, signer)
    env = Env(
        store=store,
        clock=clock,
        entropy=entropy,
        passwords=passwords,
        totp=AuthenticatorApp(),
        mailer=mailer,
        vault=vault,
        signer=signer,
        applications=Reach(connectors=connectors, vault=vault, clock=clock, entropy=entropy),
        policies=settings.policies(),
        device_of=device_of,
        country_of=country_of,
        joins={DialectName(name): one.joins for name, one in settings.dialects.items()},
    )
    try:
        yield Backends(
            env=env,
            store=store,
            passwords=passwords,
            mailer=mailer,
            signer=signer,
            egress=egress,
            connectors=connectors,
        )
    finally:
        await egress.close()
        await mailer.close()
        passwords.close()
        signer.close()
        await store.close()


def _passwords(costs: PasswordSettings) -> Argon2Passwords:
    return Argon2Passwords(
        memory_kib=costs.memory_kib,
        iterations=costs.passes,
        lanes=costs.lanes,
        workers=costs.concurrency,
        queue=costs.queue,
    )


def _connectors(egress: Egress, signer: Signer) -> Mapping[str, Connector]:
    return {name: make(egress, signer) for name, make in CONNECTORS.items()}


def _app_rules(settings: LastcallSettings) -> Iterator[Complaint]:
    """What each application's connector has to say about its settings."""
    connectors = _connectors(Nowhere(), Nowhere())
    for name, app in settings.apps.items():
        for problem in problems(connectors, _client(name, app), app.secrets):
            key, _, text = problem.partition(": ")
            table = "secrets" if key in app.secrets else "settings"
            yield ("apps", name, *([key] if key == "connector" else [table, key])), text


def _client(name: str, app: AppSettings) -> Client:
    return Client(
        id=ClientId(""),
        tenant=TenantId(app.tenant),
        name=app.name or name,
        owner=app.owner,
        connector=app.connector,
        settings=app.settings,
        can=app.can,
        naming=app.naming,
        account=app.account,
        timeout=Duration(app.timeout),
        concurrency=app.concurrency,
        outlives=Duration(app.outlives),
        always=app.always,
        private=app.private,
        created=Instant(0),
        changed=Instant(0),
    )


async def _declare(env: Env, settings: LastcallSettings) -> None:
    """Bring the store up to the configuration's applications."""
    wanted: dict[TenantId, list[Declared]] = {tenant: [] for tenant in env.policies}
    for name, app in settings.apps.items():
        one = Declared(client=_client(name, app), secrets=app.secrets)
        wanted[one.client.tenant].append(one)
    for tenant, some in wanted.items():
        try:
            await declare(env, tenant, some)
        except Invalid as error:
            raise CannotStart(f"an application of tenant {tenant}: {error}") from error


def _mailer(configured: Configured) -> QueuedMailer:
    mail = configured.settings.mail
    if not mail.host:
        folder = configured.path(mail.folder) if mail.folder else configured.store.parent / "mail"
        return folder_mailer(folder, mail.sender or "lastcall@localhost")
    server = SmtpServer(
        host=mail.host,
        port=mail.port,
        security=mail.tls,
        username=mail.username,
        password=mail.password,
        ca_file=str(configured.path(mail.ca_file)) if mail.ca_file else "",
    )
    return smtp_mailer(server, mail.sender)


async def offline(configured: Configured, operation: str, parameters: Mapping[str, Any]) -> Result:
    """One operation on a store no server has open."""
    async with opened(configured) as backends:
        await _declare(backends.env, configured.settings)
        return await run(backends.env, operation, parameters)


async def accept_restored(configured: Configured) -> bool:
    """Open a store its witness objects to, and end every session in it; False without cause."""
    try:
        async with opened(configured):
            return False
    except StoreRestored:
        async with opened(configured, accept_rollback=True):
            return True


async def serve(configured: Configured, ready: Ready | None = None) -> int:
    """Serve until a signal asks to stop (0) or the store can no longer be trusted (1)."""
    settings = configured.settings.server
    logs.configure(settings.log_level)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    async with opened(configured) as backends:
        await _declare(backends.env, configured.settings)
        with _listening(settings.host, settings.port) as sock:
            url = settings.public_url or url_of(settings.host, sock.getsockname()[1])
            backends.signer.issuer = url
            shown = await ready(backends.env, url) if ready else None
            settle_memory()
            code = await _serve(configured, backends, sock, url, shown)
    log.info("stopped", status=code)
    return code


async def _serve(
    configured: Configured, backends: Backends, sock: socket.socket, url: str, shown: Any
) -> int:
    env, metrics, state = backends.env, Metrics(), Readiness()
    sections = configured.settings.dialects
    backends.store.on_record = lambda record: metrics.record(record.event)
    app = build(
        env,
        mounts=[Mount(dialect=one, settings=sections[one.name]) for one in DIALECTS],
        server=_facts(configured.settings, url),
        state=state,
        limiter=MemoryLimiter(env.clock),
        metrics=metrics,
        demo=shown,
    )
    server = Draining(app, state, configured.settings.server.drain_seconds)
    backends.store.on_failure = server.give_up
    channel = Channel(socket_of(configured.store), _answerer(env))
    await channel.open()
    worker = _worker(configured.settings, backends, metrics)
    telling = asyncio.create_task(kept_up("outbox", worker.run))
    tidying = {"plans": partial(run_plans, env), "sweep": partial(sweep, env)}
    sweeper = asyncio.create_task(repeated(tidying))
    heads = HeadsFile(configured.heads)
    every = configured.settings.store.heads_every
    witness = asyncio.create_task(_witness_heads(env, heads, every))
    log.info("listening", url=url, store=str(configured.store))
    try:
        await server.serve([sock])
    finally:
        await channel.close()
        for task in (sweeper, witness):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await _stopped(worker, telling, configured.settings.server.drain_seconds)
        await _witness_head(env, heads)
    return 1 if server.gave_up else 0


def _worker(settings: LastcallSettings, backends: Backends, metrics: Metrics) -> Worker:
    outbox = settings.outbox
    return Worker(
        env=backends.env,
        connectors=backends.connectors,
        pace=Pace(
            in_flight=outbox.in_flight,
            claim=Duration(outbox.claim),
            break_after=outbox.break_after,
            patience=Duration(outbox.patience),
        ),
        on_tried=metrics.tried,
    )


async def _stopped(worker: Worker, telling: asyncio.Task[None], seconds: int) -> None:
    """Let it write down what is under way; what takes longer is taken up again by its claim."""
    worker.stop()
    await asyncio.wait({telling}, timeout=seconds)
    telling.cancel()
    with suppress(asyncio.CancelledError):
        await telling


async def _witness_heads(env: Env, heads: HeadsFile, every: int) -> None:
    """`every` in milliseconds."""
    while True:
        if not await _witness_head(env, heads):
            return
        await asyncio.sleep(every / 1_000)


async def _witness_head(env: Env, heads: HeadsFile) -> bool:
    """Sign the head of the audit chain and write it down, if it has changed; False when the store
    can tell no more. A file that cannot be written holds nothing else up."""
    try:
        head = await sign_head(env)
        await heads.add(head)
    except StoreUnavailable:
        return False
    except OSError as error:
        log.error("the audit head could not be written down", file=str(heads.path), exc_info=error)
    return True


def _answerer(env: Env) -> Callable[[str, Mapping[str, Any]], Awaitable[Result]]:
    async def answer(operation: str, parameters: Mapping[str, Any]) -> Result:
        try:
            result = await run(env, operation, parameters)
        except AuthorityError as error:
            log.info("operator", operation=operation, refused=error.code)
            raise
        level = logging.DEBUG if operation in READING else logging.INFO
        log.log(level, "operator", operation=operation)
        return result

    return answer


def _facts(settings: LastcallSettings, url: str) -> ServerFacts:
    return ServerFacts(
        public_url=url,
        trusted_proxies=settings.server.trusted_proxies,
        tenant_hosts={
            host: TenantId(name) for name, one in settings.tenants.items() for host in one.hosts
        },
        max_body=settings.server.max_body,
    )


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        sock = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise CannotStart(f"cannot listen on {host} port {port}: {error.strerror}") from error
    with sock:
        yield sock
