"""The server on its socket, and what goes on beside it for as long as it serves."""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import Any

import structlog

from lastcall import logs
from lastcall.authority.audit_heads import sign_head
from lastcall.background import kept_up, repeated
from lastcall.circuit import Pace
from lastcall.control.channel import Channel, socket_of
from lastcall.control.operations import READING, run
from lastcall.control.records import Result
from lastcall.dialects import DIALECTS
from lastcall.domain.errors import AuthorityError, StoreUnavailable
from lastcall.domain.types import Duration, TenantId
from lastcall.http import BACKLOG, Draining, Mount, Readiness, ServerFacts, build
from lastcall.limiter import MemoryLimiter
from lastcall.machine import age, settle_memory
from lastcall.main.apps import connectors, declare_apps
from lastcall.main.backends import Backends, opened
from lastcall.main.errors import CannotStart
from lastcall.main.figures import figures
from lastcall.main.record import where
from lastcall.main.tracing import tracing
from lastcall.main.works import works
from lastcall.metrics import Metrics
from lastcall.outbox import Worker
from lastcall.ports import Env
from lastcall.ports.tracing import Tracer
from lastcall.settings import Configured, LastcallSettings, url_of
from lastcall.stores.heads import HeadsFile
from lastcall.telemetry import TracedEgress, traced

log = structlog.stdlib.get_logger("main")


Ready = Callable[[Env, str], Awaitable[Any]]
"""Called with the address it will be served at, before the first request; what it returns is
shown as /demo.json unless it is None."""


async def serve(configured: Configured, ready: Ready | None = None) -> int:
    """Serve until a signal asks to stop (0) or the store can no longer be trusted (1)."""
    settings = configured.settings.server
    logs.configure(settings.log_level)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    async with tracing(configured.settings.telemetry) as tracer, opened(configured) as backends:
        await declare_apps(backends.env, configured.settings)
        with _listening(settings.host, settings.port) as sock:
            url = settings.public_url or url_of(settings.host, sock.getsockname()[1])
            backends.signer.issuer = url
            shown = await ready(backends.env, url) if ready else None
            settle_memory()
            code = await _serve(configured, backends, tracer, sock, url, shown)
    log.info("stopped", status=code)
    return code


async def _serve(
    configured: Configured,
    backends: Backends,
    tracer: Tracer,
    sock: socket.socket,
    url: str,
    shown: Any,
) -> int:
    env, metrics, state = backends.env, figures(configured, backends), Readiness()
    sections = configured.settings.dialects
    told = replace(env, store=traced(env.store, tracer)) if tracer.on else env
    app = build(
        told,
        mounts=[Mount(dialect=one, settings=sections[one.name]) for one in DIALECTS],
        server=_facts(configured.settings, url),
        state=state,
        limiter=MemoryLimiter(env.clock),
        metrics=metrics,
        demo=shown,
        tracer=tracer,
    )
    server = Draining(app, state, configured.settings.server.drain_seconds)
    backends.store.on_failure = server.give_up
    channel = Channel(socket_of(configured.own), _answerer(told, tracer))
    await channel.open()
    worker = _worker(configured.settings, backends, metrics, tracer)
    telling = asyncio.create_task(kept_up("outbox", worker.run))
    sweeper = asyncio.create_task(repeated(works(env, backends.store)))
    heads = HeadsFile(configured.heads)
    every = configured.settings.store.heads_every
    witnessing = partial(_witness_heads, env, heads, every)
    witness = asyncio.create_task(kept_up("audit heads", witnessing))
    metrics.standing.start = age()
    log.info("listening", url=url, store=where(configured))
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


def _worker(
    settings: LastcallSettings, backends: Backends, metrics: Metrics, tracer: Tracer
) -> Worker:
    outbox, hand_on = settings.outbox, settings.telemetry.tell_applications
    wires = backends.connectors
    if tracer.on:
        wires = connectors(TracedEgress(backends.egress, tracer, hand_on=hand_on), backends.signer)
    return Worker(
        env=backends.env,
        connectors=wires,
        pace=Pace(
            in_flight=outbox.in_flight,
            claim=Duration(outbox.claim),
            break_after=outbox.break_after,
            patience=Duration(outbox.patience),
        ),
        on_tried=metrics.tried,
        on_over=lambda over: metrics.finished(over.receipt, over.at, well=over.well),
        tracer=tracer,
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
        await _witness_head(env, heads)
        await asyncio.sleep(every / 1_000)


async def _witness_head(env: Env, heads: HeadsFile) -> None:
    """Sign the head of the audit chain and write it down, if it has changed and the store can tell.
    A file that cannot be written holds nothing else up."""
    try:
        with suppress(StoreUnavailable):
            await heads.add(await sign_head(env))
    except OSError as error:
        log.error("the audit head could not be written down", file=str(heads.path), exc_info=error)


def _answerer(env: Env, tracer: Tracer) -> Callable[[str, Mapping[str, Any]], Awaitable[Result]]:
    async def answer(operation: str, parameters: Mapping[str, Any]) -> Result:
        try:
            with tracer.begin(f"operator {operation}"):
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
