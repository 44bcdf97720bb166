"""Talking to the native API in the tests' world."""

import json
from dataclasses import dataclass
from typing import Any

from lastcall.dialects.native import NATIVE, Settings
from lastcall.domain.types import TenantId
from lastcall.wire import Reply
from tests.world import TENANT, World

PASSWORDS = {"stranger": "Stranger_1234", "john": "johnpassword"}


@dataclass
class Client:
    """One caller: its world, its settings, and where it calls."""

    world: World
    settings: Settings
    tenant: TenantId = TENANT
    by_host: bool = False
    address: str = "192.168.2.103"

    async def ask(
        self, method: str, target: str, body: Any = None, token: str = "", **headers: str
    ) -> Reply:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            given["Authorization"] = f"Bearer {token}"
        raw = b"" if body is None else json.dumps(body).encode()
        if body is not None:
            given.setdefault("Content-Type", "application/json")
        call = self.world.call(
            NATIVE,
            method,
            target,
            given,
            raw,
            settings=self.settings,
            tenant=self.tenant,
            address=self.address,
        )
        return await NATIVE.answer(call.with_(tenant_by_host=self.by_host))

    async def log_in(self, username: str, **more: Any) -> str:
        password = PASSWORDS.get(username, f"{username.capitalize()}_1234")
        body = {"username": username, "password": password, **more}
        reply = await self.ask("POST", "/v1/login", body)
        assert reply.status == 200, reply.body
        token: str = content(reply)["token"]
        return token


def content(reply: Reply) -> Any:
    return json.loads(reply.body)


def code(reply: Reply) -> str:
    """The code of a problem, whose status is the reply's."""
    problem = content(reply)
    assert problem["status"] == reply.status
    assert problem["type"] == f"/problems/{problem['code']}"
    assert ("Content-Type", "application/problem+json") in reply.headers
    found: str = problem["code"]
    return found
