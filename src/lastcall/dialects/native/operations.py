"""The native API as one table: the routes are made from it, and so is the OpenAPI document."""

from dataclasses import dataclass
from typing import Literal

import msgspec

from lastcall.dialects.native import (
    logins,
    proof_shapes,
    proofs,
    receipts,
    services,
    sessions,
    shapes,
)
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

    `media` is the type of the good answer; one that is not JSON has no `answer`.

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
    media: str = "application/json"
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
        summary="What became of a logout, here and at every application",
        handler=receipts.show_receipt,
        query=proof_shapes.ReceiptQuery,
        answer=proof_shapes.ReceiptView,
        refusals=("not-found",),
    ),
    Operation(
        method="GET",
        path="/v1/receipts/{id}/events",
        id="receiptEvents",
        summary="The receipt at every change, until it is finished (server-sent events)",
        handler=receipts.receipt_events,
        media="text/event-stream",
        refusals=("not-found", "busy"),
    ),
    Operation(
        method="GET",
        path="/v1/receipts/{id}/signed",
        id="signedReceipt",
        summary="A finished receipt as a signed document (RFC 7515, EdDSA)",
        handler=receipts.signed,
        media="application/jose",
        refusals=("not-found", "unfinished"),
    ),
    Operation(
        method="GET",
        path="/v1/subjects/{id}/status",
        id="subjectStatus",
        summary="Is this person out of everything, since when, and what is left",
        handler=receipts.subject_status,
        answer=proof_shapes.Status,
        refusals=("not-found",),
    ),
    Operation(
        method="GET",
        path="/v1/audit",
        id="audit",
        summary="The audit chain, one record a line; of other tenants' records their hashes alone",
        handler=proofs.audit,
        query=proof_shapes.AuditQuery,
        media="application/jsonl",
        refusals=("denied",),
        headers=("Link",),
    ),
    Operation(
        method="GET",
        path="/v1/audit/head",
        id="auditHead",
        summary="How far the audit chain has come, signed",
        handler=proofs.head,
        answer=proof_shapes.Head,
        refusals=("denied",),
    ),
    Operation(
        method="GET",
        path="/v1/jwks",
        id="jwks",
        summary="The public keys; also at /.well-known/jwks.json",
        handler=proofs.jwks,
        by="anybody",
        answer=proof_shapes.Keys,
        media="application/jwk-set+json",
        headers=("Cache-Control",),
    ),
)
