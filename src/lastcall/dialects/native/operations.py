"""The native API as one table: the routes are made from it, and so is the OpenAPI document."""

from dataclasses import dataclass
from typing import Literal

import msgspec

from lastcall.dialects.native import logins, services, sessions, shapes
from lastcall.dialects.native.settings import Settings
from lastcall.wire import Handler, Route

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
    """`by` is who may call: a session's holder, a service, or anybody.

    `refusals` are the codes beyond those every operation of its kind has; `headers` those of the
    answer that mean something.
    """

    method: Literal["GET", "POST", "DELETE"]
    path: str
    id: str
    summary: str
    handler: Handler[Settings]
    by: Literal["session", "service", "anybody"] = "session"
    body: type[msgspec.Struct] | None = None
    body_optional: bool = False
    form: tuple[str, ...] = ()
    query: type[msgspec.Struct] | None = None
    status: int = 200
    answer: type[msgspec.Struct] | None = None
    refusals: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()

    @property
    def changes(self) -> bool:
        return self.method != "GET"

    def route(self) -> Route[Settings]:
        """HEAD is answered like GET: no GET here changes anything."""
        methods = "GET,HEAD" if self.method == "GET" else self.method
        return Route(methods, self.path, self.handler)


OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/login",
        id="login",
        summary="Begin a session",
        handler=logins.log_in,
        by="anybody",
        body=shapes.Login,
        answer=shapes.LoggedIn,
        refusals=(*LOGIN_REFUSALS, "conflict", "superseded", "csrf"),
        headers=("Set-Cookie",),
    ),
    Operation(
        method="POST",
        path="/v1/step-up",
        id="stepUp",
        summary="Prove a second factor in this session; its token is replaced",
        handler=logins.step_up_session,
        body=shapes.StepUp,
        body_optional=True,
        answer=shapes.LoggedIn,
        refusals=(*FACTOR_REFUSALS, "busy"),
        headers=("Set-Cookie",),
    ),
    Operation(
        method="POST",
        path="/v1/password",
        id="changePassword",
        summary="Change one's own password; one's other sessions end",
        handler=logins.change_password,
        body=shapes.NewPassword,
        status=204,
        refusals=LOGIN_REFUSALS,
    ),
    Operation(
        method="GET",
        path="/v1/me",
        id="me",
        summary="One's own account",
        handler=sessions.me,
        answer=shapes.Account,
    ),
    Operation(
        method="GET",
        path="/v1/session",
        id="ownSession",
        summary="The session the call is made with",
        handler=sessions.own_session,
        answer=shapes.Session,
    ),
    Operation(
        method="GET",
        path="/v1/check",
        id="check",
        summary="Is this token good? For nginx auth_request and Traefik ForwardAuth",
        handler=services.check,
        status=204,
        headers=tuple(
            f"X-Lastcall-{name}"
            for name in (
                "Subject",
                "Username",
                "Role",
                "Session",
                "Tenant",
                "Dialect",
                "Expires",
            )
        ),
    ),
    Operation(
        method="POST",
        path="/v1/introspect",
        id="introspect",
        summary="What a token stands for (RFC 7662)",
        handler=services.introspect_token,
        by="service",
        form=("token", "token_type_hint"),
        answer=shapes.Introspection,
        refusals=("locked-out",),
    ),
    Operation(
        method="GET",
        path="/v1/sessions",
        id="listSessions",
        summary="List sessions, newest first",
        handler=sessions.sessions,
        query=shapes.ListQuery,
        answer=shapes.SessionList,
        refusals=("denied",),
    ),
    Operation(
        method="DELETE",
        path="/v1/sessions/{id}",
        id="endSession",
        summary="End one session",
        handler=sessions.end_session,
        answer=shapes.Receipt,
        refusals=("denied", "not-found", *FACTOR_REFUSALS),
        headers=("Clear-Site-Data", "Set-Cookie"),
    ),
    Operation(
        method="POST",
        path="/v1/logout",
        id="logout",
        summary="End every session in a scope; without a body, this one",
        handler=sessions.log_out,
        body=shapes.Logout,
        body_optional=True,
        answer=shapes.Receipt,
        refusals=("denied", "not-found", *FACTOR_REFUSALS),
        headers=("Clear-Site-Data", "Set-Cookie"),
    ),
    Operation(
        method="GET",
        path="/v1/receipts/{id}",
        id="receipt",
        summary="What became of a logout",
        handler=sessions.show_receipt,
        answer=shapes.Receipt,
        refusals=("not-found",),
    ),
)
