"""What traces tell, with everything in this process: an exporter that keeps what it is given."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from lastcall.dialects import DIALECTS
from lastcall.domain.client import Client
from lastcall.domain.delivery import Outcome
from lastcall.domain.errors import Conflict
from lastcall.domain.types import ClientId, Duration, ReceiptId
from lastcall.http import Asgi, Mount, Readiness, ServerFacts, build
from lastcall.outbox import Worker
from lastcall.outward import Answer, Connector, Egress, NoAnswer, Notice, Setting, Target, Told
from lastcall.ports import Store
from lastcall.ports.tracing import Untraced
from lastcall.telemetry import TracedEgress, traced
from lastcall.telemetry.otlp import OtelTracer
from tests.http.asgi import Answer as Replied
from tests.http.asgi import ask
from tests.world import TENANT, World, make_world

ABOVE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
NOT_KEPT = ABOVE[:-2] + "00"
PROXY = ("127.0.0.1", 4711)
ALWAYS = ClientId("c_wiki")


class Collected:
    def __init__(self, sample: float = 1.0) -> None:
        self._exporter = InMemorySpanExporter()
        processor = SimpleSpanProcessor(self._exporter)
        self.tracer = OtelTracer(processor, service="lastcall", sample=sample)

    @property
    def spans(self) -> list[ReadableSpan]:
        """Those that have ended, in the order they began."""
        return sorted(self._exporter.get_finished_spans(), key=lambda span: span.start_time or 0)

    def names(self) -> list[str]:
        return [span.name for span in self.spans]

    def named(self, name: str) -> ReadableSpan:
        (found,) = [span for span in self.spans if span.name == name]
        return found

    def clear(self) -> None:
        self._exporter.clear()

    def text(self) -> str:
        return "".join(span.to_json() for span in self.spans)


class Wire:
    """A connector that asks an application twice, by whatever way out it was given."""

    name = "scripted"
    settings: Sequence[Setting] = ()

    def __init__(self, egress: Egress) -> None:
        self._egress = egress

    def problems(self, target: Target) -> Sequence[str]:
        return ()

    async def tell(self, target: Target, notice: Notice) -> Told:
        url = f"https://wiki.example/secret-path?token={notice.sid}"
        answer = await self._egress.request("POST", url, within=Duration(1_000))
        return Told(outcome=Outcome.DONE, status=answer.status)

    async def test(self, target: Target, notice: Notice) -> Told:
        return await self.tell(target, notice)


class Way:
    """The way out, to nowhere."""

    def __init__(self, error: NoAnswer | None = None) -> None:
        self.sent: list[Mapping[str, str] | None] = []
        self._error = error

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        within: Duration,
        private: bool = False,
    ) -> Answer:
        self.sent.append(headers)
        if self._error is not None:
            raise self._error
        return Answer(status=202, headers={}, body=b"", took=Duration(1))


def application(world: World, collected: Collected) -> Asgi:
    env = replace(world.env, store=traced(world.env.store, collected.tracer))
    return build(
        env,
        mounts=[Mount(dialect=one, settings=one.settings()) for one in DIALECTS],
        server=ServerFacts(public_url="http://127.0.0.1:8700", trusted_proxies=("127.0.0.1",)),
        state=Readiness(),
        limiter=world.limiter,
        tracer=collected.tracer,
    )


async def log_in(app: Asgi, *headers: tuple[str, str]) -> Replied:
    body = b'{"username":"monitor","password":"Monitor_1234"}'
    return await ask(
        app, "POST", "/v1/login", ("Content-Type", "application/json"), *headers, body=body
    )


async def told_of(world: World) -> None:
    async with world.env.store.transaction(TENANT) as tx:
        now = world.clock.now()
        wiki = Client(
            id=ALWAYS, tenant=TENANT, name="wiki", connector="scripted", always=True,
            created=now, changed=now,
        )  # fmt: skip
        await tx.put_client(wiki)


async def test_one_trace_from_the_request_of_a_logout_to_the_application() -> None:
    world, collected, way = await make_world(), Collected(), Way()
    await told_of(world)
    app = application(world, collected)
    token = (await log_in(app)).json["token"]
    collected.clear()
    bearer = ("Authorization", f"Bearer {token}")
    assert (await ask(app, "POST", "/v1/logout", bearer)).status == 200
    egress = TracedEgress(way, collected.tracer, hand_on=True)
    wires: dict[str, Connector] = {"scripted": Wire(egress)}
    worker = Worker(env=world.env, connectors=wires, tracer=collected.tracer)
    await worker.turn()
    await worker.rest()

    request, logout = collected.named("POST /v1/logout"), collected.named("logout")
    tell, post = collected.named("tell"), collected.named("POST")
    parents = {span.name: span.parent.span_id if span.parent else None for span in collected.spans}
    assert parents["POST /v1/logout"] is None
    assert request.context is not None
    assert logout.context is not None
    assert tell.context is not None
    assert parents["logout"] == request.context.span_id
    assert parents["commit"] == parents["tell"] == logout.context.span_id
    assert parents["POST"] == tell.context.span_id
    assert len({span.context.trace_id for span in collected.spans if span.context}) == 1
    assert (request.kind, tell.kind) == (SpanKind.SERVER, SpanKind.CLIENT)
    assert dict(request.attributes or {}) == {
        "http.request.method": "POST",
        "http.route": "/v1/logout",
        "http.response.status_code": 200,
        "lastcall.dialect": "native",
        "lastcall.request_id": (request.attributes or {})["lastcall.request_id"],
    }
    assert dict(tell.attributes or {}) == {
        "lastcall.application": "wiki",
        "lastcall.connector": "scripted",
        "lastcall.attempt": 1,
        "lastcall.outcome": "done",
    }
    assert dict(post.attributes or {}) == {
        "http.request.method": "POST",
        "server.address": "wiki.example",
        "http.response.status_code": 202,
    }
    assert post.context is not None
    (headers,) = way.sent
    assert headers is not None
    assert headers["traceparent"].split("-")[2] == f"{post.context.span_id:016x}"
    for secret in (token, "Monitor_1234", "secret-path", "monitor"):
        assert secret not in collected.text()


async def test_what_nobody_traced_begins_at_the_application() -> None:
    world, collected, way = await make_world(), Collected(), Way(NoAnswer("connect", sent=False))
    await told_of(world)
    app = application(world, Collected())
    token = (await log_in(app)).json["token"]
    await ask(app, "POST", "/v1/logout", ("Authorization", f"Bearer {token}"))
    egress = TracedEgress(way, collected.tracer, hand_on=False)
    wires: dict[str, Connector] = {"scripted": Wire(egress)}
    worker = Worker(env=world.env, connectors=wires, tracer=collected.tracer)
    await worker.turn()
    await worker.rest()
    assert collected.names() == ["tell", "POST"]
    assert collected.named("tell").parent is None
    assert collected.named("tell").status.status_code is StatusCode.ERROR
    assert (collected.named("POST").attributes or {})["error.type"] == "connect"
    assert way.sent == [None]


@pytest.mark.parametrize(
    ("peer", "above", "kept"),
    [(PROXY, ABOVE, True), (PROXY, NOT_KEPT, False), (("192.0.2.7", 1), ABOVE, True)],
)
async def test_only_a_trusted_proxy_begins_a_trace(
    peer: tuple[str, int], above: str, kept: bool
) -> None:
    world, collected = await make_world(), Collected()
    app = application(world, collected)
    await ask(app, "GET", "/v1/sessions", ("traceparent", above), peer=peer)
    assert (len(collected.spans) > 0) is kept
    for span in collected.spans:
        assert span.context is not None
        joined = f"{span.context.trace_id:032x}" == ABOVE.split("-")[1]
        assert joined is (peer == PROXY)


@pytest.mark.parametrize("above", ["", "00-x-y-01", "00-" + "0" * 32 + "-" + "0" * 16 + "-01"])
async def test_what_is_no_traceparent_is_not_followed(above: str) -> None:
    collected = Collected()
    app = application(await make_world(), collected)
    await ask(app, "GET", "/v1/sessions", ("traceparent", above), peer=PROXY)
    assert collected.spans[0].parent is None


async def test_a_refusal_is_told_by_its_code_and_the_servers_own_paths_are_not() -> None:
    collected = Collected()
    app = application(await make_world(), collected)
    await ask(app, "GET", "/v1/sessions", ("Authorization", "Bearer canary"))
    request = collected.named("GET /v1/sessions")
    assert request.status.status_code is StatusCode.ERROR
    assert (request.attributes or {})["error.type"] == "not-authenticated"
    collected.clear()
    for path in ("/livez", "/readyz", "/metrics"):
        await ask(app, "GET", path)
    await ask(app, "GET", "/canary/of/a/path")
    assert collected.names() == ["GET unknown"]
    assert "canary" not in collected.text()


async def test_a_share_of_nothing_keeps_nothing() -> None:
    collected = Collected(sample=0.0)
    app = application(await make_world(), collected)
    assert (await log_in(app)).status == 200
    assert collected.spans == []


async def in_vain(store: Store) -> None:
    async with store.transaction(TENANT) as tx:
        await tx.next_serial()
        raise Conflict("canary")


async def test_a_transaction_that_fails_says_how() -> None:
    world, collected = await make_world(), Collected()
    store = traced(world.env.store, collected.tracer)
    with collected.tracer.begin("test"), pytest.raises(Conflict):
        await in_vain(store)
    await world.env.store.close()
    with collected.tracer.begin("closed"), pytest.raises(Exception, match="closed"):
        async with store.transaction(TENANT):
            pass
    failed = [span for span in collected.spans if span.name == "transaction"]
    assert [(span.attributes or {})["error.type"] for span in failed] == [
        "conflict",
        "store-unavailable",
    ]
    assert "canary" not in collected.text()


async def test_without_a_trace_above_a_step_is_none() -> None:
    world, collected = await make_world(), Collected()
    async with traced(world.env.store, collected.tracer).transaction(TENANT) as tx:
        await tx.next_serial()
    collected.tracer.began(ReceiptId("r"))
    assert collected.tracer.traceparent() == ""
    assert collected.spans == []


async def test_the_tracer_nobody_listens_to() -> None:
    tracer = Untraced()
    tracer.began(ReceiptId("r"))
    assert (tracer.on, tracer.traceparent()) == (False, "")
    for entered in (tracer.begin("a"), tracer.step("b"), tracer.errand(ReceiptId("r"), "c")):
        with entered as span:
            span.named("d")
            span.tell("e", 1)
            span.failed("f")
