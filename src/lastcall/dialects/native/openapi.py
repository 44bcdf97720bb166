"""The OpenAPI 3.1 document, made from the table of operations and the shapes."""

import re
from collections import defaultdict
from functools import cache
from typing import Any

import msgspec

import lastcall
from lastcall.dialects.native import shapes
from lastcall.dialects.native.callers import PREFIX
from lastcall.dialects.native.operation import Operation
from lastcall.dialects.native.operations import OPERATIONS
from lastcall.dialects.native.problems import CATALOGUE, COOKIE, MEDIA_TYPE

REF = "#/components/schemas/{name}"
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
Json = dict[str, Any]

EVENT: Json = {
    "type": "object",
    "properties": {name: {"type": "string"} for name in ("event", "data", "id")},
    "description": "Of each event; `data` holds JSON.",
}

OWN: list[dict[str, list[str]]] = [{"bearer": []}, {"cookie": [], "csrf": []}]
"""One's own session, for a call that changes something."""

SECURITY: dict[str, list[dict[str, list[str]]]] = {
    "anybody": [],
    "session": [{"bearer": []}, {"cookie": []}],
    "service": [{"service": []}, {"serviceBearer": []}],
    "either": [*OWN, {"service": []}, {"serviceBearer": []}],
}

SCHEMES: Json = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": f"{PREFIX}...",
        "description": "The token of a login.",
    },
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": "The cookie of a browser session.",
    },
    "csrf": {
        "type": "apiKey",
        "in": "header",
        "name": "X-CSRF-Token",
        "description": "Beside the cookie, for every call that changes something.",
    },
    "service": {"type": "http", "scheme": "basic", "description": "A service and its secret."},
    "serviceBearer": {"type": "http", "scheme": "bearer", "description": "A service's secret."},
}


@cache
def document() -> bytes:
    """The document as JSON; the same for every installation of this version."""
    kinds: list[Any] = [shapes.Problem]
    for operation in OPERATIONS:
        some = (operation.body, operation.answer, operation.later)
        kinds += [kind for kind in some if kind is not None]
    _, components = msgspec.json.schema_components(dict.fromkeys(kinds), ref_template=REF)
    paths: defaultdict[str, Json] = defaultdict(dict)
    for operation in OPERATIONS:
        paths[operation.path][operation.method.lower()] = _operation(operation)
    whole = {
        "openapi": "3.1.0",
        "info": {
            "title": "Lastcall",
            "version": lastcall.__version__,
            "summary": "Who is logged in, and ending it.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": SCHEMES},
    }
    return msgspec.json.encode(whole)


def _operation(operation: Operation) -> Json:
    described: Json = {
        "operationId": operation.id,
        "summary": operation.summary,
        "security": _security(operation),
        "responses": _responses(operation),
    }
    parameters = [
        *_path_parameters(operation),
        *_query_parameters(operation),
        *_header_parameters(operation),
    ]
    if parameters:
        described["parameters"] = parameters
    if operation.body is not None:
        described["requestBody"] = {
            "required": not operation.body_optional,
            "content": {JSON: {"schema": _ref(operation.body)}},
        }
    if operation.form:
        described["requestBody"] = {
            "required": True,
            "content": {FORM: {"schema": _form(operation)}},
        }
    return described


def _header_parameters(operation: Operation) -> list[Json]:
    return [
        {"name": name, "in": "header", "required": False, "schema": {"type": "string"}}
        for name in operation.takes
    ]


def _security(operation: Operation) -> list[dict[str, list[str]]]:
    ways = SECURITY[operation.by]
    if operation.by == "session" and operation.changes:
        return OWN
    return ways


def _responses(operation: Operation) -> Json:
    good: Json = {"description": "Done."}
    if operation.answer is not None:
        good["content"] = {operation.media: {"schema": _ref(operation.answer)}}
    elif operation.media != JSON:
        schema = EVENT if operation.media == "text/event-stream" else {"type": "string"}
        good["content"] = {operation.media: {"schema": schema}}
    if operation.headers:
        good["headers"] = {name: {"schema": {"type": "string"}} for name in operation.headers}
    by_status: defaultdict[int, list[str]] = defaultdict(list)
    for code in _refusals(operation):
        by_status[CATALOGUE[code].status].append(code)
    refused = {
        str(status): {
            "description": " / ".join(f"`{code}`: {CATALOGUE[code].title}." for code in codes),
            "content": {MEDIA_TYPE: {"schema": _ref(shapes.Problem)}},
        }
        for status, codes in sorted(by_status.items())
    }
    later: Json = {}
    if operation.later is not None:
        schema = {"schema": _ref(operation.later)}
        later = {"202": {"description": "It waits.", "content": {JSON: schema}}}
    return {str(operation.status): good, **later, **refused}


def _refusals(operation: Operation) -> tuple[str, ...]:
    every = ["invalid", "too-slow", "too-large", "store-unavailable", "error"]
    if operation.by in ("session", "either"):
        every.append("not-authenticated")
        every += ["csrf"] * operation.changes
    if operation.by in ("service", "either"):
        every.append("bad-service-credentials")
    if operation.body is not None or operation.form:
        every.append("unsupported-media-type")
    return tuple(dict.fromkeys((*every, *operation.refusals)))


def _path_parameters(operation: Operation) -> list[Json]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"\{(\w+)\}", operation.path)
    ]


def _query_parameters(operation: Operation) -> list[Json]:
    if operation.query is None:
        return []
    schema = msgspec.json.schema(operation.query)["$defs"][operation.query.__name__]
    required = schema.get("required", ())
    return [
        {"name": name, "in": "query", "required": name in required, "schema": _present(kind)}
        for name, kind in schema["properties"].items()
    ]


def _present(kind: Json) -> Json:
    """A parameter is left out where a member would be null."""
    choices = [choice for choice in kind.get("anyOf", ()) if choice != {"type": "null"}]
    return choices[0] if len(choices) == 1 else kind


def _form(operation: Operation) -> Json:
    return {
        "type": "object",
        "properties": {name: {"type": "string"} for name in operation.form},
        "required": list(operation.form[:1]),
    }


def _ref(kind: type[msgspec.Struct]) -> Json:
    return {"$ref": REF.format(name=kind.__name__)}
