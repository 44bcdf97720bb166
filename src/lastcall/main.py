"""The composition root: the one module that knows which backends are in use."""

import asyncio
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import structlog
import uvicorn

from lastcall import logs
from lastcall.authenticators.device import device_of
from lastcall.authenticators.mail import QueuedMailer, SmtpServer, folder_mailer, smtp_mailer
from lastcall.authenticators.password import Argon2Passwords
from lastcall.authenticators.totp import AuthenticatorApp
from lastcall.authenticators.vault import KeyFileError, open_vault
from lastcall.authority.audit_heads import sign_head
from lastcall.authority.sweep import sweep
from lastcall.control.channel import Channel, socket_of
from lastcall.control.operations import run
from lastcall.control.records import Result
from lastcall.dialects import DIALECTS
from lastcall.domain.errors import AuthorityError, StoreUnavailable
from lastcall.domain.types import TenantId
from lastcall.http import Asgi, Mount, Readiness, ServerFacts, build, uvicorn_options
from lastcall.limiter import MemoryLimiter
from lastcall.machine import SystemClock, SystemEntropy
from lastcall.metrics import Metrics
from lastcall.ports import Env
from lastcall.settings import LastcallSettings, read_file
from lastcall.signing import Keyring, SigningKeysUnusable, open_keyring
from lastcall.stores.heads import HeadsFile
from lastcall.stores.sqlite import RolledBack, SqliteStore

log = structlog.stdlib.get_logger("main")

SWEEP_SECONDS = 1.0
"""How long the sweep rests when nothing was due."""

BACKLOG = 2_048


class CannotStart(Exception):
    """Something outside this program is in the way; the text says what."""


class StoreRestored(CannotStart):
    """The database is older than its witness: an operator has to decide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Configured:
    """Checked settings, and the folder relative paths in them begin at."""

    settings: LastcallSettings
    base: Path

    def path(self, text: str) -> Path:
        return self.base / text

    @property
    def store(self) -> Path:
        return self.path(self.settings.store.path)

    @property
    def key_file(self) -> Path:
        named = self.settings.store.key_file
        return self.path(named) if named else self.store.with_name(self.store.name + ".key")

    @property
    def signing_keys(self) -> Path:
        named = self.settings.store.signing_keys
        return self.path(named) if named else self.store.with_name(self.store.name + ".signing")

    @property
    def heads(self) -> Path:
        named = self.settings.store.heads
        return self.path(named) if named else self.store.with_name(self.store.name + ".heads.jsonl")

    @property
    def issuer(self) -> str:
        server = self.settings.server
        return server.public_url or _url(server.host, server.port)

    @property
    def witness(self) -> Path | None:
        named = self.settings.store.witness
        return self.path(named) if named else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Backends:
    """What is open, so that it can be closed."""

    env: Env
    store: SqliteStore
    passwords: Argon2Passwords
    mailer: QueuedMailer
    signer: Keyring


Ready = Callable[[Env, str], Awaitable[Any]]
"""Called with the address it will be served at, before the first request; what it returns is
shown as /demo.json unless it is None."""


def configured(path: Path, environ: Mapping[str, str] = os.environ) -> Configured:
    """Raises `SettingsWrong`."""
    kinds: dict[str, type[msgspec.Struct]] = {one.name: one.settings for one in DIALECTS}
    return Configured(settings=read_file(path, environ, kinds), base=path.absolute().parent)


@asynccontextmanager
async def opened(
    configured: Configured, *, accept_rollback: bool = False
) -> AsyncIterator[Backends]:
    """Everything the verbs need, for as long as the block lasts. Raises `CannotStart`."""
    settings = configured.settings
    try:
        vault = open_vault(configured.key_file)
        store = await SqliteStore.open(
            configured.store, witness=configured.witness, accept_rollback=accept_rollback
        )
    except RolledBack as error:
        raise StoreRestored(str(error)) from error
    except (KeyFileError, StoreUnavailable) as error:
        raise CannotStart(str(error)) from error
    try:
        signer = await open_keyring(configured.signing_keys, vault, configured.issuer)
    except SigningKeysUnusable as error:
        await store.close()
        raise CannotStart(str(error)) from error
    costs = settings.passwords
    passwords = Argon2Passwords(
        memory_kib=costs.memory_kib,
        iterations=costs.passes,
        lanes=costs.lanes,
        workers=costs.concurrency,
        queue=costs.queue,
    )
    mailer = _mailer(configured)
    env = Env(
        store=store,
        clock=SystemClock(store.floor),
        entropy=SystemEntropy(),
        passwords=passwords,
        totp=AuthenticatorApp(),
        mailer=mailer,
        vault=vault,
        signer=signer,
        policies=settings.policies(),
        device_of=device_of,
    )
    try:
        yield Backends(env=env, store=store, passwords=passwords, mailer=mailer, signer=signer)
    finally:
        await mailer.close()
        passwords.close()
        signer.close()
        await store.close()


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
        with _listening(settings.host, settings.port) as sock:
            url = settings.public_url or _url(settings.host, sock.getsockname()[1])
            shown = await ready(backends.env, url) if ready else None
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
    sweeper = asyncio.create_task(_sweep(env))
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
        await _witness_head(env, heads)
    return 1 if server.gave_up else 0


class Draining(uvicorn.Server):
    """Uvicorn, told to stop by a signal or by the store; it finishes what is under way."""

    def __init__(self, app: Asgi, state: Readiness, seconds: int) -> None:
        options = uvicorn_options()
        super().__init__(
            uvicorn.Config(app, timeout_graceful_shutdown=seconds, backlog=BACKLOG, **options)
        )
        self.gave_up = False
        self._state = state

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Without raising the signal again at the end: there is still a store to close."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop, number)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    def give_up(self, error: StoreUnavailable) -> None:
        """The store failed: nothing can be vouched for any more, and only a restart helps."""
        log.critical("the store failed, stopping", detail=error.detail)
        self.gave_up = True
        self._state.draining = True
        self.should_exit = True

    def _stop(self, number: int) -> None:
        log.info("stopping", signal=signal.Signals(number).name)
        self._state.draining = True
        self.force_exit = self.should_exit
        self.should_exit = True


async def _sweep(env: Env) -> None:
    """Tidy up behind the requests; nothing waits for it."""
    while True:
        try:
            changed = await sweep(env)
        except StoreUnavailable:
            return
        except AuthorityError as error:
            log.error("the sweep was refused", exc_info=error)
            changed = 0
        await asyncio.sleep(0 if changed else SWEEP_SECONDS)


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
        log.info("operator", operation=operation)
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


def _url(host: str, port: int) -> str:
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - shown, not bound
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"
