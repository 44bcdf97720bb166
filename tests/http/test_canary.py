"""Secrets with a mark on them go through every wire; nothing that is logged or counted has it."""

import io
import itertools
import json
import re
from collections.abc import Iterator

from lastcall.dialects import DIALECTS
from tests.http.asgi import Answer, Served, ask, serve
from tests.world import TENANT, make_world, subject

MARK = "cAnArY"
NAME = "carla"
PASSWORD = f"{MARK}-password-1"
WRONG = f"{MARK}-wrong-1"
JSON = ("Content-Type", "application/json")
FORM = ("Content-Type", "application/x-www-form-urlencoded")
SECRET = re.compile(r"[A-Za-z0-9_+/=-]{20,}")
"""What a token looks like; the ids that may be shown are shorter."""

NAMES = ("username", "password", "token", "key", "cred", "resume", "code", "access_token")


def logins(password: str) -> Iterator[tuple[str, str, tuple[tuple[str, str], ...], bytes]]:
    user = json.dumps({"username": NAME, "user": NAME, "password": password}).encode()
    native = json.dumps({"username": NAME, "password": password}).encode()
    query = f"username={NAME}&password={password}"
    yield "POST", "/v1/login", (JSON,), native
    yield "POST", "/api/login", (JSON,), native
    yield "GET", f"/api/login?{query}", (), b""
    yield "POST", f"/services/login?{query}", (), b""
    yield "POST", "/services/login", (FORM,), query.encode()
    yield "POST", "/services/apilogin", (FORM,), query.encode()
    yield "POST", "/api/v1/login", (JSON,), user
    xml = f"<username>{NAME}</username><password>{password}</password>".encode()
    yield "POST", "/aveksa/command.submit?cmd=loginUser", (), xml
    yield "POST", f"/urac/login?{query}", (("key", MARK), JSON), native
    yield "POST", "/oauth/token", (FORM,), f"grant_type=password&{query}".encode()


def places(secret: str) -> Iterator[tuple[str, tuple[tuple[str, str], ...], bytes]]:
    """Everywhere a secret could be put in a request: query, headers, and body."""
    query = "&".join(f"{name}={secret}" for name in NAMES)
    yield f"?{query}", (), b""
    yield f"?cmd=logoutUser&format=json&token={secret}", (), b""
    yield f"?{secret}", (), b""
    yield "", (("Authorization", f"Bearer {secret}"),), b""
    yield "", (("Authorization", f"Basic {secret}"),), b""
    cookies = "; ".join(f"{name}={secret}" for name in ("__Host-lastcall", "token", "soajsID"))
    yield "", (("Cookie", cookies),), b""
    yield "", (("X-Auth-Token", secret), ("X-User-Id", secret), ("X-2fa-Code", secret)), b""
    yield "", (("key", secret), ("soajsauth", f"Basic {secret}"), ("X-CSRF-Token", secret)), b""
    yield "", (FORM,), query.encode()
    yield "", (JSON,), json.dumps(dict.fromkeys(NAMES, secret)).encode()


def routes() -> Iterator[tuple[str, str]]:
    for dialect in DIALECTS:
        for route in dialect.routes:
            for method in route.allowed:
                yield method, route.path
        yield "GET", f"{dialect.prefixes[0].rstrip('/')}/unknown"
        yield "PUT", dialect.routes[0].path


async def everything(served: Served, secret: str) -> list[Answer]:
    answers = []
    for method, pattern in routes():
        path = re.sub(r"\{\w+\}", secret, pattern)
        for query, headers, body in places(secret):
            answers.append(await ask(served.app, method, path + query, *headers, body=body))
        answers.append(await ask(served.app, method, f"{path};jsessionid={secret}"))
    return answers


async def test_no_secret_is_written_down(logged: io.StringIO) -> None:
    world = await make_world()
    async with world.env.store.transaction(TENANT) as tx:
        await tx.add_subject(subject(NAME, PASSWORD, "admin"))
    served = serve(world)
    good = [
        await ask(served.app, method, target, *headers, body=body)
        for method, target, headers, body in logins(PASSWORD)
    ]
    assert sum(answer.status == 200 for answer in good) >= 6, [one.status for one in good]
    refused = [
        await ask(served.app, method, target, *headers, body=body)
        for method, target, headers, body in logins(WRONG)
    ]
    tokens = {
        found
        for answer in good
        for text in (answer.body.decode(), *(value for name, value in answer.headers))
        for found in SECRET.findall(text)
    }
    tokens -= {answer.header("x-request-id") for answer in good}
    refused += await everything(served, f"{MARK}-token-1")
    for token in sorted(tokens):
        refused += [
            await ask(served.app, "GET", path + query, *headers, body=body)
            for path in ("/v1/check", "/api/whoami", "/services/profile", "/api/v1/me")
            for query, headers, body in places(token)
        ]
    page = (await ask(served.app, "GET", "/metrics")).body.decode()
    written = logged.getvalue()
    assert len(written.splitlines()) > 300
    for secret in (MARK, MARK.lower(), *tokens):
        assert secret not in written
        assert secret not in page
    for answer in refused:
        if answer.status >= 400:
            assert PASSWORD not in answer.body.decode()
            assert WRONG not in answer.body.decode()


async def test_the_store_keeps_no_secret_either() -> None:
    world = await make_world()
    async with world.env.store.transaction(TENANT) as tx:
        await tx.add_subject(subject(NAME, PASSWORD, "admin"))
    served = serve(world)
    for method, target, headers, body in itertools.chain(logins(PASSWORD), logins(WRONG)):
        await ask(served.app, method, target, *headers, body=body)
    await everything(served, f"{MARK}-token-1")
    async with world.env.store.transaction(TENANT) as tx:
        kept = repr(await tx.records(limit=100_000))
    assert "login" in kept
    assert MARK not in kept
