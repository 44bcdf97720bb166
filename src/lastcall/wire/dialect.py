"""The dialect: one inbound wire, its routes, and how it says no."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Generic

from lastcall.domain.errors import AuthorityError
from lastcall.domain.types import DialectName, TenantId
from lastcall.ports import Env, Found
from lastcall.wire.call import Call, S
from lastcall.wire.reply import Reply

Handler = Callable[[Call[S]], Awaitable[Reply]]

Quick = Callable[[bytes], bytes | None]
"""From a bearer token, in ASCII, to the header lines of the 204 that says it is good.

None when only the route's handler can tell. It counts as a use, and raises `AuthorityError`s.
"""


@dataclass(frozen=True, slots=True)
class Refusing:
    """How a bearer token in ASCII is refused without asking the route's handler.

    `found` tells what is known of one that does not count, and None when only the handler can
    tell; it raises `AuthorityError`s. `reply` is what the handler would answer then to a request
    with that id, and to one that offers no cookie. It is always the same but for the id.
    """

    found: Callable[[bytes], Found | None]
    reply: Callable[[str], Reply]


class Hot(Enum):
    """Routes that are asked all the time; see docs/adr/0022.

    Their handlers do not stream and set no time limits, so that they can be begun at once.
    """

    CHECK = "check"
    """Only checks a token: what it answers well is counted, and not logged."""
    CALL = "call"


@dataclass(frozen=True, slots=True)
class Route(Generic[S]):
    """`methods` as a comma list, a path that may hold `{name}` segments, and who answers.

    `quick` makes a short way to the handler's good answer to a GET that offers a bearer token,
    for the tenant given; the last argument says that the host name alone chose it. `refusing`
    makes one to its refusal.
    """

    methods: str
    path: str
    handler: Handler[S]
    hot: Hot | None = None
    quick: Callable[[Env, S, TenantId, bool], Quick] | None = None
    refusing: Callable[[Env, S, TenantId, bool], Refusing] | None = None

    @property
    def allowed(self) -> tuple[str, ...]:
        return tuple(self.methods.split(","))


def _enter(call: Call[S]) -> Call[S]:
    return call


def _leave(_call: Call[S], reply: Reply) -> Reply:
    return reply


@dataclass(frozen=True, kw_only=True)
class Dialect(Generic[S]):
    """One inbound wire: its routes, its settings, and how it says no.

    `enter` sees a call before routing and may rewrite its method and path, or answer it at once.
    `unknown` answers paths that match no route, and wrong methods (then `call.allow` is filled).
    `refuse` says any `AuthorityError` in the vendor's words; an unforeseen failure reaches it as
    a bare `AuthorityError`. `leave` may add headers to whatever is answered.
    """

    name: DialectName
    settings: type[S]
    prefixes: tuple[str, ...]
    routes: tuple[Route[S], ...]
    refuse: Callable[[Call[S], AuthorityError], Reply]
    unknown: Handler[S]
    enter: Callable[[Call[S]], Call[S] | Reply] = _enter
    leave: Callable[[Call[S], Reply], Reply] = _leave
    fold_case: bool = False

    @cached_property
    def _table(self) -> tuple[tuple[Route[S], re.Pattern[str]], ...]:
        flags = re.IGNORECASE if self.fold_case else 0
        return tuple((route, _pattern(route.path, flags)) for route in self.routes)

    @cached_property
    def _known(self) -> Mapping[str, Sequence[tuple[Route[S], Mapping[str, str]]]]:
        """What matches the paths that are written in the table as they are asked for."""
        plain = (route.path for route in self.routes if "{" not in route.path)
        return {path: self._matching(path) for path in plain}

    def _matching(self, path: str) -> Sequence[tuple[Route[S], Mapping[str, str]]]:
        found = ((route, pattern.fullmatch(path)) for route, pattern in self._table)
        return [(route, match.groupdict()) for route, match in found if match is not None]

    async def answer(self, call: Call[S]) -> Reply:
        """Route, run, and turn a refusal into the vendor's words."""
        try:
            entered = self.enter(call)
            if isinstance(entered, Reply):
                return self.leave(call, entered)
            call = entered
            reply = await self._handle(call)
        except AuthorityError as error:
            return self.decline(call, error)
        return self.leave(call, reply)

    def decline(self, call: Call[S], error: AuthorityError) -> Reply:
        """The vendor's words for a refusal, noted in the call's trail."""
        call.trail.refused = error
        return self.leave(call, self.refuse(call, error))

    async def _handle(self, call: Call[S]) -> Reply:
        allow: list[str] = []
        for route, segments in self._known.get(call.path) or self._matching(call.path):
            call.trail.route = route.path
            call.trail.check = route.hot is Hot.CHECK
            if call.method in route.allowed:
                return await route.handler(call.with_(segments=segments) if segments else call)
            allow.extend(route.allowed)
        return await self.unknown(call.with_(allow=tuple(dict.fromkeys(allow))))


def _pattern(path: str, flags: int) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", path)
    source = "".join(
        f"(?P<{part}>[^/]+)" if index % 2 else re.escape(part) for index, part in enumerate(parts)
    )
    return re.compile(source, flags)
