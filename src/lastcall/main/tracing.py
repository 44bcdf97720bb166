"""Who is told of what goes on: a collector of traces, where one is configured."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from lastcall.main.errors import CannotStart
from lastcall.ports.tracing import Tracer, Untraced
from lastcall.settings import TelemetrySettings

MISSING = "[telemetry] needs what `pip install 'lastcall[otel]'` brings"


@asynccontextmanager
async def tracing(settings: TelemetrySettings) -> AsyncIterator[Tracer]:
    """For as long as the block lasts. Raises `CannotStart` where the extra is not installed."""
    if not settings.otlp_endpoint:
        yield Untraced()
        return
    try:
        from lastcall.telemetry.otlp import OtelTracer, exporting
    except ImportError as error:
        raise CannotStart(f"{MISSING}: {error}") from error
    processor = exporting(settings.otlp_endpoint, settings.headers)
    tracer = OtelTracer(processor, service=settings.service, sample=settings.sample)
    try:
        yield tracer
    finally:
        await asyncio.to_thread(tracer.close)
