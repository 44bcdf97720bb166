"""The fast lane: hot requests are answered before an ASGI scope or a task exists for them.

See docs/adr/0022. Whatever is not hot, not complete or in any way unusual is given to uvicorn's
own protocol as it came, and so takes the ordinary lane.
"""

import asyncio
from collections.abc import Awaitable, Coroutine, Generator
from functools import partial
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from lastcall.http.app import Assembly
from lastcall.http.lane import METHODS, Lane, Shortcut
from lastcall.http.protocol import IDLE_SECONDS, LimitedProtocol
from lastcall.http.replies import written
from lastcall.wire import Reply

MOST_BODY = 16 * 1024
"""Longer bodies take the ordinary lane, which bounds and times them."""

LOOKS = 4
"""How often in the time after which an idle connection is closed it is looked at: a clock read for
every check would cost more, and so it is closed up to a quarter of that time later."""

MOST_LESSONS = 4
"""How often a connection's heads are looked at for what they have in common."""

HEAD_END = b"\r\n\r\n"


def uvicorn_options() -> dict[str, Any]:
    """For `uvicorn.Config`; the application itself reads what proxies say and logs requests."""
    return {
        "http": FastProtocol,
        "loop": "uvloop",
        "ws": "none",
        "lifespan": "on",
        "proxy_headers": False,
        "server_header": False,
        "access_log": False,
        "log_config": None,
        "timeout_keep_alive": IDLE_SECONDS,
    }


class Begun:
    """A request whose answer waits for something: what uvicorn's protocol asks of its cycles."""

    response_started = False
    response_complete = False
    disconnected = False
    more_body = False
    message_event = asyncio.Event()  # nobody waits for it: the body is all there

    def __init__(self, *, keep_alive: bool) -> None:
        self.keep_alive = keep_alive


class Form:
    """A request that was answered the short way, without its token.

    The parser has read it. Whatever differs from it in an issued token alone would be read alike:
    a token whose hash is known holds nothing that could end a header. `asker` is the lane's.
    """

    __slots__ = ("after", "asker", "before", "shortcut", "token")

    def __init__(self, before: bytes, after: bytes, shortcut: Shortcut, asker: str | None) -> None:
        self.before, self.after = before, after
        self.token = slice(len(before), -len(after))
        self.shortcut = shortcut
        self.asker = asker


class FastProtocol(LimitedProtocol):
    """`_hot` is whether the request being read is for this lane; `_deaf` ignores what follows an
    answer that closed the connection."""

    _hot = False
    _deaf = False
    _between = True
    _complete = 0
    _lessons = 0
    _used = False
    _quiet = 0
    _form: Form | None = None
    _answered: tuple[Shortcut, bytes] | None = None
    _idle: asyncio.TimerHandle | None = None

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._parts: list[bytes] = []
        application: object = self.app
        self._application = application if isinstance(application, Assembly) else None
        self._lane: Lane | None = None
        self._most_body = MOST_BODY
        if self._application is not None:
            self._lane = self._application.lane
            self._most_body = min(MOST_BODY, self._application.server.max_body)

    # --- what comes ---

    def connection_lost(self, exc: Exception | None) -> None:
        if self._idle is not None:
            self._idle.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        form = self._form
        if (
            form is not None
            and self._between
            and data.startswith(form.before)
            and data.endswith(form.after)
        ):
            cycle: Any = self.cycle
            flow = self._flow
            if not (flow.write_paused or flow.kept or (cycle and not cycle.response_complete)):
                defaults = self.server_state.default_headers
                answer = form.shortcut.good(data[form.token], defaults)
                if answer is None:
                    answer = form.shortcut.refused(data[form.token], defaults, form.asker)
                if answer is not None:
                    if self.timeout_keep_alive_task is not None:
                        self._unset_keepalive_if_required()
                        if self._idle is None:
                            self._look_later()
                    self.transport.write(answer)
                    self._used = True
                    return
        between, self._complete = self._between, 0
        super().data_received(data)
        if self._answered is not None and between and self._lessons < MOST_LESSONS:
            self._learn(data, *self._answered)

    def _take(self, data: bytes) -> None:
        super()._take(data)
        if self._hot and not self.transport.is_closing():
            self._hand_over()

    def on_message_begin(self) -> None:
        self._between = False
        self._answered = None
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        if not self._headed() or self._deaf:
            return
        if (
            self._lane is not None
            and self._free()
            and self._lane.hot(self.url)
            and self.parser.get_method() in METHODS
            and not self.expect_100_continue
        ):
            self._hot = True
            self._parts.clear()
            return
        self._take_on()

    def on_body(self, body: bytes) -> None:
        if self._deaf:
            return
        if self._hot:
            self._body_bytes += len(body)
            self._parts.append(body)
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self._elsewhere:
            return
        self._between = True
        self._complete += 1
        if self._deaf:
            return
        if not self._hot:
            super().on_message_complete()
        elif self._body_bytes > self._most_body:
            self._hand_over()
            super().on_message_complete()
        else:
            self._hot = False
            self._rest_bytes = self._body_bytes = 0
            self._answer()

    def _free(self) -> bool:
        """Nothing that came before waits for its answer, and answers are being read."""
        cycle: Any = self.cycle
        return (cycle is None or cycle.response_complete) and not self.flow.write_paused

    def _hand_over(self) -> None:
        """To the ordinary lane, with what has come of the body."""
        self._hot = False
        self._take_on()
        if self._parts:
            HttpToolsProtocol.on_body(self, b"".join(self._parts))

    # --- the short way ---

    def _learn(self, data: bytes, shortcut: Shortcut, token: bytes) -> None:
        """Know the next request that is like this one, if this one is all that has come."""
        self._lessons += 1
        if self._complete != 1 or not data.startswith(b"GET ") or data.count(token) != 1:
            return
        if data.endswith(HEAD_END) and data.count(HEAD_END) == 1:
            before, _, after = data.partition(token)
            assert self._lane is not None
            asker = self._lane.asker(self.headers, self.client)
            self._form = Form(before, after, shortcut, asker)

    def _short(self, lane: Lane, shortcut: Shortcut, token: bytes) -> bytes | None:
        defaults = self.server_state.default_headers
        return shortcut.good(token, defaults) or shortcut.refused(
            token, defaults, lane.asker(self.headers, self.client)
        )

    # --- the hot routes' own handlers ---

    def _answer(self) -> None:
        parser, lane, application = self.parser, self._lane, self._application
        assert lane is not None
        assert application is not None
        version, method = parser.get_http_version(), parser.get_method()
        keep_alive = version != "1.0" and parser.should_keep_alive()
        if method == b"GET" and keep_alive and version == "1.1" and not self._parts:
            offered = lane.shortcut(self.url, self.headers)
            answer = offered and self._short(lane, *offered)
            if answer:
                self._answered = offered
                self.transport.write(answer)
                self._done(keep_alive=True)
                return
        if lane.traced:
            self._hand_over()
            super().on_message_complete()
            return
        url = httptools.parse_url(self.url)
        scope = {
            "http_version": version,
            "method": method.decode("ascii"),
            "scheme": self.scheme,
            "path": url.path.decode("ascii"),
            "query_string": url.query or b"",
            "headers": self.headers,
            "client": self.client,
        }
        self._begin(application.at_once(scope, b"".join(self._parts)), keep_alive)

    def _begin(self, answering: Coroutine[Any, None, Reply], keep_alive: bool) -> None:
        """Answer at once, or let a task wait for whatever the answer waits for."""
        lane = self._lane
        assert lane is not None
        if not (lane.checks(self.url) or lane.turns.now()):
            begun = self._stand(keep_alive)
            lane.turns.later(partial(self._see_through, begun, answering))
            return
        try:
            waits_for = answering.send(None)
        except StopIteration as done:
            self._done(keep_alive=self._write(done.value, keep_alive=keep_alive))
            return
        self._see_through(self._stand(keep_alive), Resumed(answering, waits_for))

    def _stand(self, keep_alive: bool) -> Begun:
        """In the place of the request under way: what follows queues up behind it."""
        begun = Begun(keep_alive=keep_alive)
        self.cycle = begun  # type: ignore[assignment]  # all that is asked of one
        return begun

    def _see_through(self, begun: Begun, answering: Awaitable[Reply]) -> None:
        task = self.loop.create_task(self._finish(begun, answering))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _finish(self, begun: Begun, answering: Awaitable[Reply]) -> None:
        try:
            reply = await answering
            if self.flow.write_paused and not begun.disconnected:
                await self.flow.drain()
        except BaseException:
            self.transport.close()
            raise
        finally:
            begun.response_complete = True
        if begun.disconnected or self.transport.is_closing():
            return
        if not self._write(reply, keep_alive=begun.keep_alive):
            self.transport.close()
        self.on_response_complete()

    def _write(self, reply: Reply, *, keep_alive: bool) -> bool:
        """Whether the connection goes on."""
        defaults = self.server_state.default_headers
        answer, goes_on = written(reply, defaults, keep_alive=keep_alive)
        self.transport.write(answer)
        return goes_on

    def _done(self, *, keep_alive: bool) -> None:
        if not keep_alive:
            self._deaf = True
            self.transport.close()
            return
        self._used = True
        if self._idle is None:
            self._look_later()

    def _look_later(self) -> None:
        self._idle = self.loop.call_later(self.timeout_keep_alive / LOOKS, self._look)

    def _look(self) -> None:
        """Close what has been idle for long enough; whoever else keeps time here is left to it."""
        self._idle = None
        if self.timeout_keep_alive_task is not None or not (self._between and self._free()):
            return
        self._quiet = 0 if self._used else self._quiet + 1
        self._used = False
        if self._quiet < LOOKS:
            self._look_later()
        else:
            self.timeout_keep_alive_handler()


class Resumed:
    """The rest of a coroutine that has been begun outside of any task, to be awaited in one."""

    __slots__ = ("_answering", "_first")

    def __init__(self, answering: Coroutine[Any, None, Reply], first: Any) -> None:
        self._answering = answering
        self._first = [first]

    def __await__(self) -> Generator[Any, None, Reply]:
        return self  # type: ignore[return-value]  # all of a generator that awaiting makes use of

    def __iter__(self) -> "Resumed":
        return self

    def __next__(self) -> Any:
        """What it waits for; at first, what it has been waiting for all along."""
        return self._first.pop() if self._first else self._answering.send(None)

    def throw(self, *error: Any) -> Any:
        self._first.clear()
        return self._answering.throw(*error)

    def close(self) -> None:
        self._answering.close()
