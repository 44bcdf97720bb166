"""Traces by OpenTelemetry, sent over OTLP; importing this needs the extra `lastcall[otel]`."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from lastcall import __version__
from lastcall.domain.types import ReceiptId
from lastcall.ports.tracing import UNTOLD, Span

REMEMBERED = 10_000
"""Logouts whose spans are known to their errands; errands of earlier ones begin traces anew."""

SECONDS = 5
"""For one batch to be taken by the collector; a stopping server waits no longer for the last."""

W3C = TraceContextTextMapPropagator()


def exporting(endpoint: str, headers: Mapping[str, str]) -> SpanProcessor:
    """Sends spans in batches from a thread of its own; what the collector does not take is lost."""
    return BatchSpanProcessor(
        OTLPSpanExporter(endpoint=endpoint, headers=dict(headers), timeout=SECONDS)
    )


class OtelTracer:
    """Implements `lastcall.ports.tracing.Tracer`.

    `sample` is the share of the traces that begin here; one that goes on is kept if its beginning
    was. Nothing is registered for the whole process.
    """

    on = True

    def __init__(self, processor: SpanProcessor, *, service: str, sample: float) -> None:
        about = {"service.name": service, "service.version": __version__}
        self._provider = TracerProvider(
            resource=Resource.create(about),
            sampler=ParentBased(TraceIdRatioBased(sample)),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("lastcall", __version__)
        self._logouts: OrderedDict[ReceiptId, SpanContext] = OrderedDict()

    def begin(self, name: str, traceparent: str = "") -> AbstractContextManager[Span]:
        above = W3C.extract({"traceparent": traceparent}, Context()) if traceparent else Context()
        return self._entered(name, above, SpanKind.SERVER)

    def step(self, name: str) -> AbstractContextManager[Span]:
        if not trace.get_current_span().get_span_context().is_valid:
            return UNTOLD
        return self._entered(name, None, SpanKind.INTERNAL)

    def errand(self, logout: ReceiptId, name: str) -> AbstractContextManager[Span]:
        known = self._logouts.get(logout)
        above = Context()
        if known is not None:
            above = trace.set_span_in_context(NonRecordingSpan(known), above)
        return self._entered(name, above, SpanKind.CLIENT)

    def began(self, logout: ReceiptId) -> None:
        current = trace.get_current_span().get_span_context()
        if current.is_valid:
            self._logouts[logout] = current
            if len(self._logouts) > REMEMBERED:
                self._logouts.popitem(last=False)

    def traceparent(self) -> str:
        carrier: dict[str, str] = {}
        W3C.inject(carrier)
        return carrier.get("traceparent", "")

    def close(self) -> None:
        """Send what is left; blocks for as long as that may take."""
        self._provider.shutdown()

    @contextmanager
    def _entered(self, name: str, above: Context | None, kind: SpanKind) -> Iterator[Span]:
        with self._tracer.start_as_current_span(
            name,
            context=above,
            kind=kind,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            yield _OtelSpan(span)


class _OtelSpan:
    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def named(self, name: str) -> None:
        self._span.update_name(name)

    def tell(self, key: str, value: str | int) -> None:
        self._span.set_attribute(key, value)

    def failed(self, what: str) -> None:
        self._span.set_attribute("error.type", what)
        self._span.set_status(Status(StatusCode.ERROR))
