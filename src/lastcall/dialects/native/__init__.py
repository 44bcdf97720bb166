"""The native API: JSON over HTTP, described by OpenAPI, refusing with RFC 9457 problems."""

from lastcall.dialects.native.callers import NATIVE_NAME
from lastcall.dialects.native.openapi import document
from lastcall.dialects.native.operations import OPERATIONS
from lastcall.dialects.native.problems import CATALOGUE, MethodNotAllowed, refuse, type_of
from lastcall.dialects.native.proofs import jwks, page
from lastcall.dialects.native.settings import Service, Settings
from lastcall.dialects.native.shapes import ProblemType
from lastcall.domain.errors import NotFound
from lastcall.wire import Call, Dialect, Reply, Route, json_reply

__all__ = ["NATIVE", "Service", "Settings"]


async def _openapi(_call: Call[Settings]) -> Reply:
    return Reply(body=document(), headers=(("Content-Type", "application/json"),))


async def _problem_type(call: Call[Settings]) -> Reply:
    code = call.segments["code"]
    kind = CATALOGUE.get(code)
    if kind is None:
        raise NotFound("no such problem type")
    return json_reply(
        ProblemType(type=type_of(code), title=kind.title, status=kind.status, meaning=kind.meaning)
    )


async def _unknown(call: Call[Settings]) -> Reply:
    if call.allow:
        raise MethodNotAllowed(call.allow)
    raise NotFound("no such path")


NATIVE = Dialect[Settings](
    name=NATIVE_NAME,
    settings=Settings,
    prefixes=("/v1/", "/openapi.json", "/problems/", "/.well-known/jwks.json", "/verify"),
    routes=(
        *(operation.route() for operation in OPERATIONS),
        Route("GET,HEAD", "/openapi.json", _openapi),
        Route("GET,HEAD", "/problems/{code}", _problem_type),
        Route("GET,HEAD", "/.well-known/jwks.json", jwks),
        Route("GET,HEAD", "/verify", page("")),
        Route("GET,HEAD", "/verify/page.js", page("page.js")),
        Route("GET,HEAD", "/verify/page.css", page("page.css")),
        Route("GET,HEAD", "/verify/offline.html", page("offline.html")),
    ),
    refuse=refuse,
    unknown=_unknown,
)
