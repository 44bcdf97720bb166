"""The description is true: it is complete, it resolves, and the API does as it says."""

import asyncio
import json
from base64 import b64encode
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.transport import Response
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from lastcall.dialects.native import NATIVE, Service, Settings
from lastcall.dialects.native.openapi import document
from lastcall.dialects.native.operations import OPERATIONS
from lastcall.http import Mount
from tests.http.asgi import Answer, Served, ask, serve
from tests.world import World, make_world

DOCUMENT = json.loads(document())
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
SECRET = "a secret that is long enough"
JSON = ("Content-Type", "application/json")


def references(value: Any) -> Iterator[str]:
    match value:
        case {"$ref": str(target)}:
            yield target
        case dict():
            for one in value.values():
                yield from references(one)
        case list():
            for one in value:
                yield from references(one)


def test_every_operation_is_described_and_nothing_else() -> None:
    described = {
        (method.upper(), path) for path, methods in DOCUMENT["paths"].items() for method in methods
    }
    assert described == {(one.method, one.path) for one in OPERATIONS}
    ids = [one.id for one in OPERATIONS]
    assert len(set(ids)) == len(ids)
    routed = {route.path for route in NATIVE.routes if route.path.startswith("/v1/")}
    assert routed == set(DOCUMENT["paths"])


def test_every_reference_leads_somewhere() -> None:
    for target in references(DOCUMENT):
        place: Any = DOCUMENT
        for part in target.removeprefix("#/").split("/"):
            place = place[part]
        assert place


def test_requests_are_strict_in_the_description_too() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    for operation in OPERATIONS:
        if operation.body is not None:
            assert schemas[operation.body.__name__]["additionalProperties"] is False


async def test_it_is_served() -> None:
    answer = await ask(serve(await make_world()).app, "GET", "/openapi.json")
    assert answer.status == 200
    assert answer.header("content-type") == "application/json"
    assert answer.json == DOCUMENT


class Fuzzed:
    """One application for many requests, each made with a session that lives."""

    def __init__(self) -> None:
        self.runner = asyncio.Runner()
        self.world: World = self.runner.run(make_world())
        services = {"fuzz": Service(secret=SECRET)}
        native = Mount(dialect=NATIVE, settings=Settings(services=services))
        self.served: Served = serve(self.world, native)

    def answer(self, prepared: requests.PreparedRequest, by: str) -> Answer:
        return self.runner.run(self._answer(prepared, by))

    async def _answer(self, prepared: requests.PreparedRequest, by: str) -> Answer:
        self.world.clock.advance(600_000)
        parts = urlsplit(prepared.url or "")
        body = prepared.body or b""
        kept = [
            (name, value)
            for name, value in prepared.headers.items()
            if name.lower() in ("content-type", "content-length")
        ]
        return await ask(
            self.served.app,
            prepared.method or "",
            f"{parts.path}?{parts.query}".rstrip("?"),
            *kept,
            *([await self._credentials(by)] if by != "anybody" else []),
            body=body if isinstance(body, bytes) else body.encode("utf-8", "surrogatepass"),
            gone=parts.path == "/v1/feed",  # which would go on for ever
        )

    async def _credentials(self, by: str) -> tuple[str, str]:
        if by == "service":
            return "Authorization", "Basic " + b64encode(f"fuzz:{SECRET}".encode()).decode()
        login = {"username": "admin", "password": "Admin_1234"}
        answer = await ask(
            self.served.app, "POST", "/v1/login", JSON, body=json.dumps(login).encode()
        )
        return "Authorization", f"Bearer {answer.json['token']}"


@pytest.fixture(scope="module")
def fuzzed() -> Iterator[Fuzzed]:
    one = Fuzzed()
    yield one
    one.runner.close()


@pytest.mark.slow
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize("by", ["session", "nobody"])
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.id)
def test_the_api_does_as_it_says(
    operation: Any, by: str, mode: GenerationMode, fuzzed: Fuzzed
) -> None:
    """Whatever is sent: a documented status, a documented type, a body of the documented shape."""
    described = schemathesis.openapi.from_dict(DOCUMENT)[operation.path][operation.method]
    if mode is GenerationMode.NEGATIVE and not (operation.body or operation.query):
        return
    who = operation.by if by == "session" else "anybody"

    @settings(
        max_examples=25,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=described.as_strategy(generation_mode=mode))
    def run(case: Any) -> None:
        wanted = case.as_transport_kwargs(base_url="http://127.0.0.1:8700")
        wanted.pop("cookies", None)
        prepared = requests.Request(**wanted).prepare()
        answer = fuzzed.answer(prepared, who)
        headers = {name.lower(): [value] for name, value in answer.headers}
        response = Response(answer.status, headers, answer.body, prepared, 0.01, verify=False)
        case.validate_response(response, checks=CHECKS)

    run()
