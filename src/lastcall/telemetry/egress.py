"""The way out, with a span for each request, and the trace handed on where that is wanted."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from lastcall.domain.types import Duration
from lastcall.outward import Answer, Egress, NoAnswer
from lastcall.ports.tracing import Tracer


class TracedEgress:
    """Tells the host and the status, nothing of paths, headers and bodies.

    `hand_on` sends each application a `traceparent`, which is the same for all that are told of
    one logout: by it two of them can find out that they have a person in common.
    """

    def __init__(self, egress: Egress, tracer: Tracer, *, hand_on: bool) -> None:
        self._egress = egress
        self._tracer = tracer
        self._hand_on = hand_on

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
        with self._tracer.step(method) as span:
            span.tell("http.request.method", method)
            span.tell("server.address", urlsplit(url).hostname or "")
            traceparent = self._tracer.traceparent() if self._hand_on else ""
            sent = {**(headers or {}), "traceparent": traceparent} if traceparent else headers
            try:
                answer = await self._egress.request(
                    method, url, headers=sent, body=body, within=within, private=private
                )
            except NoAnswer as error:
                span.failed(error.reason)
                raise
            span.tell("http.response.status_code", answer.status)
            return answer
