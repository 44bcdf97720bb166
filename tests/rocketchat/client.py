"""A Rocket.Chat client in a test's hand: a world, the dialect's settings, and who is logged in."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from lastcall.dialects.rocketchat import ROCKETCHAT
from lastcall.dialects.rocketchat.settings import Settings
from lastcall.domain.session import Session
from lastcall.domain.token import hash_token
from lastcall.wire import Reply
from tests.world import TENANT, World

PASSWORDS = {
    "admin": "Admin_1234",
    "engineer": "Engineer_1234",
    "monitor": "Monitor_1234",
    "john": "johnpassword",
    "tess": "Tess_1234",
    "emil": "Emil_1234",
}
PATIENT = Settings(API_Enable_Rate_Limiter=False)


def sha(username: str) -> str:
    return hashlib.sha256(PASSWORDS[username].encode()).hexdigest()


def said(reply: Reply) -> Any:
    assert ("Content-Type", "application/json") in reply.headers
    assert ("Cache-Control", "no-store") in reply.headers
    return json.loads(reply.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Calls with the headers of one login, from one address with one user agent."""

    world: World
    settings: Settings = PATIENT
    headers: tuple[tuple[str, str], ...] = ()
    agent: str = "test/1"
    address: str = "192.168.2.103"

    async def ask(self, method: str, path: str, body: object = None, **headers: str) -> Reply:
        extra = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.world.ask(
            ROCKETCHAT,
            method,
            f"/api/v1/{path}",
            headers={"user-agent": self.agent, **dict(self.headers), **extra},
            body=b"" if body is None else json.dumps(body).encode(),
            settings=self.settings,
            address=self.address,
        )

    async def get(self, path: str, **headers: str) -> Reply:
        return await self.ask("GET", path, **headers)

    async def post(self, path: str, body: object = None, **headers: str) -> Reply:
        return await self.ask("POST", path, body, **headers)

    async def as_(self, username: str, code: str | None = None) -> "Client":
        """The client once it has logged in."""
        body = {"user": username, "password": PASSWORDS[username]}
        reply = await self.post("login", body if code is None else {**body, "code": code})
        assert reply.status == 200, reply.body
        data = said(reply)["data"]
        return self.but(
            headers=(("x-user-id", data["userId"]), ("x-auth-token", data["authToken"]))
        )

    def but(self, **changes: Any) -> "Client":
        mine = {
            "world": self.world,
            "settings": self.settings,
            "headers": self.headers,
            "agent": self.agent,
            "address": self.address,
        }
        return Client(**{**mine, **changes})

    @property
    def token(self) -> str:
        return dict(self.headers)["x-auth-token"]

    async def session(self) -> Session:
        async with self.world.env.store.transaction(TENANT) as tx:
            found = await tx.session_with_token(hash_token(self.token))
        assert found is not None
        return found

    async def live(self) -> bool:
        return (await self.get("me")).status == 200


def totp(world: World, username: str = "tess") -> str:
    return world.totp.code("JBSWY3DPEHPK3PXP", world.clock.wall() // 30_000)
