"""Driving any wire alike: logging in, asking who one is, logging out, and looking behind it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from lastcall.authority.introspect import introspect
from lastcall.authority.subjects import change_subject
from lastcall.authority.validate import validate
from lastcall.dialects import DIALECTS
from lastcall.domain.access import Caller, operator
from lastcall.domain.errors import AuthorityError
from lastcall.domain.origin import Origin
from lastcall.domain.subject import Subject
from lastcall.domain.token import digest_password
from lastcall.domain.types import DialectName, TenantId
from lastcall.wire import Dialect, Reply
from tests.world import OTHER, TENANT, World, make_world, subject

BY_NAME: Mapping[str, Dialect[Any]] = {dialect.name: dialect for dialect in DIALECTS}
ADDRESS = "192.168.2.103"
ANYWHERE = Origin(dialect=DialectName("native"), address=ADDRESS)

SECTIONS: Mapping[str, Mapping[str, Any]] = {
    "soajs": {
        "tenants": {
            str(tenant): {
                "id": digit * 24,
                "code": "TEST",
                "keys": [f"key-of-{tenant}"],
                "oauth_secret": "oauth-secret",
            }
            for tenant, digit in ((TENANT, "1"), (OTHER, "2"))
        }
    },
}
"""What a dialect needs in its section before it answers at all."""

PASSWORD = "Peer_1234"
PEERS: tuple[Subject, ...] = tuple(
    subject(f"{role}-{which}", PASSWORD, role, tenant=tenant, email=f"{role}-{which}@example.com")
    for role in ("admin", "engineer", "monitor")
    for which, tenant in (("a", TENANT), ("b", TENANT), ("far", OTHER))
)
"""Two of every rank here, so that each can turn against an equal, and one of each elsewhere."""


@dataclass(frozen=True)
class Answer:
    reply: Reply
    refused: AuthorityError | None

    @property
    def granted(self) -> bool:
        return self.refused is None and self.reply.status < 400

    @property
    def seen(self) -> tuple[int, bytes, tuple[tuple[str, str], ...]]:
        """All an onlooker can tell."""
        return self.reply.status, self.reply.body, self.reply.headers


@dataclass(frozen=True)
class Ask:
    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Held:
    """What somebody holds who has logged in. `token` is what the store knows by its hash."""

    wire: "Wire"
    who: Subject
    token: str
    session: str
    shown: Mapping[str, str]

    @property
    def tenant(self) -> TenantId:
        return self.who.tenant


@dataclass(frozen=True)
class Wire:
    """`learn` reads the token, and what else later calls need, out of the reply to a login.

    `cookie` says whether what `logout` sends is something a browser would add by itself.
    """

    name: str
    dialect: str
    login: Callable[[Subject, str], Ask]
    learn: Callable[[Reply], Mapping[str, str]]
    check: Callable[[Mapping[str, str], Subject], Ask]
    logout: Callable[[Mapping[str, str], Subject], Ask]
    cookie: bool = False

    async def send(
        self, world: World, ask: Ask, tenant: TenantId = TENANT, address: str = ADDRESS
    ) -> Answer:
        dialect = BY_NAME[self.dialect]
        call = world.call(
            dialect,
            ask.method,
            ask.target,
            headers=ask.headers,
            body=ask.body,
            settings=msgspec.convert(SECTIONS.get(self.dialect, {}), dialect.settings),
            tenant=tenant,
            address=address,
        )
        reply = await dialect.answer(call)
        return Answer(reply, call.trail.refused)

    async def try_login(
        self, world: World, who: Subject, password: str = PASSWORD, **more: Any
    ) -> tuple[Answer, Mapping[str, str]]:
        """The answer, and what it gave; nothing when it refused (some do so with a 200)."""
        answer = await self.send(world, self.login(who, password), who.tenant, **more)
        shown = self.learn(answer.reply) if answer.granted else {}
        return answer, shown

    async def enter(
        self, world: World, who: Subject, password: str = PASSWORD, **more: Any
    ) -> Held:
        answer, shown = await self.try_login(world, who, password, **more)
        assert shown, answer
        caller = await introspect(world.env, None, shown["token"], ANYWHERE)
        assert caller is not None, "a login that answers has begun a session"
        assert caller.session is not None
        return Held(
            wire=self, who=who, token=shown["token"], session=caller.session.id, shown=shown
        )

    async def ask_who(self, world: World, held: Held) -> Answer:
        return await self.send(world, self.check(held.shown, held.who), held.tenant)

    async def leave(self, world: World, held: Held) -> Answer:
        return await self.send(world, self.logout(held.shown, held.who), held.tenant)


def json_of(reply: Reply) -> dict[str, Any]:
    """{} for what is no JSON object: then nothing was learnt."""
    try:
        value = json.loads(reply.body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def header(reply: Reply, name: str) -> str:
    return next((value for key, value in reply.headers if key.lower() == name.lower()), "")


def cookie_of(reply: Reply) -> str:
    return header(reply, "set-cookie").partition(";")[0].partition("=")[2]


def as_json(method: str, target: str, value: object, **headers: str) -> Ask:
    sent = {"Content-Type": "application/json", **_dashed(headers)}
    return Ask(method, target, sent, json.dumps(value).encode())


def _dashed(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def with_bearer(method: str, target: str) -> Callable[[Mapping[str, str], Subject], Ask]:
    return lambda shown, _who: Ask(method, target, {"Authorization": f"Bearer {shown['token']}"})


def only(**shown: str | None) -> Mapping[str, str]:
    """What was given, if all of it was."""
    return {name: text for name, text in shown.items() if text} if all(shown.values()) else {}


def named(wire: Wire) -> str:
    return wire.name.replace(" ", "-")


def peer(name: str) -> Subject:
    return next(one for one in PEERS if one.username == name)


async def make_crowd(**more: Any) -> World:
    """A world with the peers in it as well."""
    world = await make_world(**more)
    for tenant in (TENANT, OTHER):
        async with world.env.store.transaction(tenant) as tx:
            for one in PEERS:
                if one.tenant == tenant:
                    await tx.add_subject(one)
    return world


async def alive(world: World, held: Held) -> bool:
    """Whether the session counts, asked past every wire."""
    return await introspect(world.env, None, held.token, ANYWHERE) is not None


async def caller_of(world: World, held: Held) -> Caller:
    place = Origin(dialect=DialectName(held.wire.dialect), address=ADDRESS)
    return await validate(world.env, held.tenant, held.token, place, dialects=None)


async def audited(world: World, tenant: TenantId = TENANT) -> int:
    async with world.env.store.transaction(tenant) as tx:
        return len(await tx.records(0, 10_000))


def proof(who: Subject) -> dict[str, str]:
    """Rocket.Chat's second factor of an account that has none: the password's digest."""
    digest = digest_password(PASSWORD)
    assert who.password_hash == f"fake${digest}"
    return {"X-2fa-Code": digest, "X-2fa-Method": "password"}


async def changed(world: World, who: Subject, **fields: Any) -> Subject:
    """A change of an account as the operator makes it."""
    await change_subject(
        world.env, operator(who.tenant, ANYWHERE), who.id, lambda old: replace(old, **fields)
    )
    return replace(who, **fields)
