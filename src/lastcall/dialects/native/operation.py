"""One operation of the native API: what its route and its description are made from."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import msgspec

from lastcall.dialects.native.settings import Settings
from lastcall.domain.types import TenantId
from lastcall.ports import Env
from lastcall.wire import Handler, Hot, Quick, Refusing, Route

LOGIN_REFUSALS = (
    "bad-credentials",
    "second-factor-required",
    "second-factor-invalid",
    "second-factor-exhausted",
    "locked-out",
    "busy",
)
FACTOR_REFUSALS = ("second-factor-required", "second-factor-invalid", "second-factor-exhausted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """`by` is who may call: a session's holder, a service, either of them, or anybody.

    `media` is the type of the good answer; one that is not JSON has no `answer`.

    `refusals` are the codes beyond those every operation of its kind has; `headers` those of the
    answer that mean something, `takes` those of the request. `later` is the answer to what is
    accepted and will be done (202).
    """

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    id: str
    summary: str
    handler: Handler[Settings]
    by: Literal["session", "service", "either", "anybody"] = "session"
    body: type[msgspec.Struct] | None = None
    body_optional: bool = False
    form: tuple[str, ...] = ()
    query: type[msgspec.Struct] | None = None
    takes: tuple[str, ...] = ()
    status: int = 200
    answer: type[msgspec.Struct] | None = None
    later: type[msgspec.Struct] | None = None
    media: str = "application/json"
    refusals: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    hot: Hot | None = None
    quick: Callable[[Env, Settings, TenantId, bool], Quick] | None = None
    refusing: Callable[[Env, Settings, TenantId, bool], Refusing] | None = None

    @property
    def changes(self) -> bool:
        return self.method != "GET"

    def route(self) -> Route[Settings]:
        """HEAD is answered like GET: no GET here changes anything."""
        methods = "GET,HEAD" if self.method == "GET" else self.method
        return Route(methods, self.path, self.handler, self.hot, self.quick, self.refusing)
