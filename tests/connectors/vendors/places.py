"""Where the vendors' connectors are tried: our own dialects, in this process or in a real one."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from lastcall.authenticators.totp import AuthenticatorApp
from lastcall.dialects import DIALECTS
from lastcall.domain.types import Duration, Instant
from lastcall.outward import Answer, Egress, NoAnswer
from tests.fakes import FakeVault
from tests.soajs.settings import KEY, TENANTS
from tests.world import TENANT, World, make_world, subject

TOTP_SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
HERE, ELSEWHERE = "192.168.2.103", "192.0.2.7"


@dataclass
class Place:
    """A server with all dialects, and the way to it; accounts are those of the demonstration."""

    egress: Egress
    url: str
    soajs_key: str
    now: Callable[[], Instant]

    async def ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        members: object = None,
        body: bytes = b"",
    ) -> Answer:
        sent = dict(headers or {})
        if members is not None:
            sent["content-type"], body = "application/json", json.dumps(members).encode()
        url = self.url + path
        within = Duration(10_000)
        return await self.egress.request(
            method, url, headers=sent, body=body, within=within, private=True
        )


@dataclass
class Inside:
    """The way out, led back to the dialects of this process; the longest prefix has the path."""

    world: World
    settings: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    address: str = HERE
    asked: list[tuple[str, str]] = field(default_factory=list)

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        within: Duration,
        private: bool = False,
    ) -> Answer:
        target = "/" + url.split("/", 3)[3]
        self.asked.append((method, target))
        owner = max(
            DIALECTS,
            key=lambda one: max(
                (len(prefix) for prefix in one.prefixes if target.startswith(prefix)), default=0
            ),
        )
        settings = msgspec.convert(self.settings.get(owner.name, {}), owner.settings)
        call = self.world.call(
            owner, method, target, headers, body, settings=settings, address=self.address
        )
        reply = await owner.answer(call)
        if 300 <= reply.status < 400:
            raise NoAnswer("redirect", sent=True)
        low = {name.lower(): value for name, value in reply.headers}
        return Answer(status=reply.status, headers=low, body=reply.body, took=Duration(1))


async def inside() -> tuple[Place, Inside]:
    """With a real authenticator app, and an account `totp` as the demonstration has it."""
    world = await make_world()
    world.env = replace(world.env, totp=AuthenticatorApp())
    sealed = FakeVault().seal(TOTP_SECRET, "totp:u-totp")
    async with world.env.store.transaction(TENANT) as tx:
        await tx.add_subject(subject("totp", "Totp_1234", "admin", totp_secret=sealed))
    way = Inside(
        world, {"soajs": {"tenants": TENANTS}, "rocketchat": {"API_Enable_Rate_Limiter": False}}
    )
    place = Place(egress=way, url="http://server.example", soajs_key=KEY, now=world.clock.wall)
    return place, way


def wall() -> Instant:
    return Instant(time.time_ns() // 1_000_000)
