"""Telemetry: what traces are made of. Only `otlp` needs the extra `lastcall[otel]`."""

from lastcall.telemetry.egress import TracedEgress
from lastcall.telemetry.store import traced

__all__ = ["TracedEgress", "traced"]
