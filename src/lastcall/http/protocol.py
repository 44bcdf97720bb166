"""The server under the application: uvicorn's httptools protocol, with limits it does not have."""

import asyncio
import re
from typing import Any

import httptools
import msgspec
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from lastcall.http.head import AUTHORITY

HEAD_BYTES = 64 * 1024
"""Of a request line and its headers, before the application could refuse them."""

HEAD_SECONDS = 10.0
"""From a connection's (or a request's) first moment until its headers are complete."""

IDLE_SECONDS = 15
"""Between two requests of one connection."""

STALL_SECONDS = 60.0
"""How long a full buffer waits for its client to read."""

SPARE_BYTES = 256 * 1024
SPARE_FACTOR = 8
"""Framing of a chunked body, beside the body itself: so much, and so many times its length."""

STEP = 4 * 1024
"""Bytes that are parsed at once: the requests in them may all have to wait for their turn, and take
a hundred times that then."""

TARGET = re.compile(rb"[A-Za-z]+://([^/?#]*)")
"""A request's target that is a whole URL (RFC 9112 3.2.2), to the end of its authority."""

TITLES = {
    400: "Bad Request",
    408: "Request Timeout",
    431: "Request Header Fields Too Large",
}


class Flow(FlowControl):
    """Reads nothing while something that was read is kept for later."""

    kept = b""

    def resume_reading(self) -> None:
        if not self.kept:
            super().resume_reading()


class LimitedProtocol(HttpToolsProtocol):
    """Closes on heads that are too long or too slow, and does not let trailers pass for headers.

    What uvicorn makes for a request (scope, cycle, task) is made once its head is complete, and
    time-outs only where something is really waited for. A connection without a request is closed
    in time, whatever else comes on it. `_elsewhere`: the head just read asks for another protocol.
    """

    head_seconds = HEAD_SECONDS
    stall_seconds = STALL_SECONDS

    _in_head = True
    _begun = False
    _elsewhere = False
    _head_bytes = 0
    _rest_bytes = 0
    _body_bytes = 0
    _timer: asyncio.TimerHandle | None = None
    _stall: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]  # as uvicorn narrows it
        self.flow = self._flow = Flow(self.transport)
        self._time_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel()
        self._read_on()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._flow.kept:
            self._flow.kept += data
        else:
            self._take(data)

    def _take(self, data: bytes) -> None:
        """Read no further than there are requests that wait for their turn.

        Uvicorn makes of all that has come what it needs for the answers.
        """
        for at in range(0, len(data), STEP):
            if self.pipeline:
                self._cancel()
                self._flow.kept = data[at:]
                self._flow.pause_reading()
                return
            self._read(data[at : at + STEP])
            if self.transport.is_closing():
                return

    def _go_on(self) -> None:
        data, self._flow.kept = self._flow.kept, b""
        if not self.transport.is_closing():
            self._flow.resume_reading()
            self._take(data)

    def _read(self, data: bytes) -> None:
        if self._in_head:
            self._head_bytes += len(data)
        else:
            self._rest_bytes += len(data)
        self._feed(data)
        if self.transport.is_closing():
            return
        if self._in_head:
            if self._head_bytes > HEAD_BYTES:
                self._refuse(431)
            elif self._timer is None:
                self._time_head()
        elif self._rest_bytes - self._body_bytes > SPARE_BYTES + SPARE_FACTOR * self._body_bytes:
            self._refuse(400)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stall = self.loop.call_later(self.stall_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        self._read_on()
        super().resume_writing()

    def _read_on(self) -> None:
        """The client reads again, or is gone."""
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    def _feed(self, data: bytes) -> None:
        """No other protocol is spoken here: who asks for one has the request read as any other.

        The parser would take its body, and what comes behind it, for that protocol's, or for
        further requests; so it is shown the head again without the question (RFC 9110 7.8).
        """
        rest: bytes | memoryview = data
        try:
            while len(rest):
                try:
                    self.parser.feed_data(rest)
                except httptools.HttpParserUpgrade as asked:
                    if not self._elsewhere:
                        self._refuse(400)
                        return
                    rest = memoryview(rest)[asked.args[0] :]
                    self._feed_head()
                else:
                    return
        except httptools.HttpParserError:
            self.logger.warning("Invalid HTTP request received.")
            self._refuse(400)

    def _feed_head(self) -> None:
        method, version = self.parser.get_method(), self.parser.get_http_version()
        lines = [b"%b %b HTTP/%b\r\n" % (method, self.url, version.encode("ascii"))]
        lines += [b"%b: %b\r\n" % pair for pair in self.headers if pair[0] != b"upgrade"]
        self.parser.feed_data(b"%b\r\n" % b"".join(lines))

    def on_message_begin(self) -> None:
        self._unset_keepalive_if_required()
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self._in_head = self._begun = True
        self._elsewhere = False
        self._head_bytes = self._rest_bytes = self._body_bytes = 0
        if self._timer is not None:
            self._cancel()

    def on_header(self, name: bytes, value: bytes) -> None:
        """As uvicorn does it, without a call for each of them."""
        if self._in_head:
            name = name.lower()
            if name == b"expect" and value.lower() == b"100-continue":
                self.expect_100_continue = True
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        if self._headed():
            self._take_on()

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        if not self._elsewhere:
            self._rest_bytes = self._body_bytes = 0
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """Without a time for the next request, where that has begun and has a time of its own."""
        super().on_response_complete()
        if self._in_head:
            self._unset_keepalive_if_required()
        if self._flow.kept and not self.pipeline:
            self.loop.call_soon(self._go_on)

    def _headed(self) -> bool:
        """The head is complete; False when it is to be read again."""
        parser = self.parser
        if parser.should_upgrade() and parser.get_method() != b"CONNECT":
            self._elsewhere = True
            return False
        self._in_head = False
        self._head_bytes = 0
        self._unset_keepalive_if_required()
        if self._timer is not None:
            self._cancel()
        return True

    def _take_on(self) -> None:
        """Give the request whose head is complete to the application, as uvicorn does."""
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        if url[:1] != b"/":
            self._note_authority(url)
        self.headers += headers
        super().on_headers_complete()

    def _note_authority(self, url: bytes) -> None:
        """The application compares it with the `Host`; uvicorn reads the rest of the target."""
        found = TARGET.match(url)
        if found:
            scope: dict[str, Any] = self.scope  # type: ignore[assignment]  # as ASGI lets it
            scope[AUTHORITY] = found[1].decode("latin-1")

    def _time_head(self) -> None:
        self._cancel()
        self._timer = self.loop.call_later(self.head_seconds, self._late)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self) -> None:
        if self.transport.is_closing():
            return
        if self._begun:
            self._refuse(408)
        else:
            self.transport.close()

    def _refuse(self, status: int) -> None:
        """Answer without the application, and close: what follows could be anything.

        A complete request before it is answered first, and this then ends the connection.
        """
        if self.transport.is_closing():
            return
        unfinished = self._unfinished()
        if unfinished is not None and not unfinished.more_body:
            unfinished.keep_alive = False
            self.flow.pause_reading()
            return
        body = msgspec.json.encode(
            {"type": "about:blank", "title": TITLES[status], "status": status}
        )
        head = (
            b"content-type: application/problem+json\r\n"
            b"cache-control: no-store\r\nx-content-type-options: nosniff\r\n"
            b"connection: close\r\ncontent-length: " + str(len(body)).encode() + b"\r\n\r\n"
        )
        if unfinished is None or not unfinished.response_started:
            self.transport.write(STATUS_LINE[status] + head + body)
        self.transport.close()

    def _unfinished(self) -> RequestResponseCycle | None:
        """The newest request that has not been answered yet."""
        newest: Any = self.cycle
        return newest if newest is not None and not newest.response_complete else None
