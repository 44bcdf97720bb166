"""Short ways to log in and look, for the tests of the verbs."""

from typing import Any

from lastcall.authority.credentials import Credentials, prove
from lastcall.authority.login import LoggedIn, Start, login
from lastcall.authority.logout import logout
from lastcall.authority.validate import validate
from lastcall.domain.access import Caller
from lastcall.domain.audit import Record
from lastcall.domain.errors import NotAuthenticated
from lastcall.domain.logout import OneSession
from lastcall.domain.origin import Origin
from lastcall.domain.policy import Admission
from lastcall.domain.session import Lifetime
from lastcall.domain.types import (
    DAY,
    HOUR,
    DialectName,
    Duration,
    Instant,
    Kind,
    SessionId,
    TenantId,
)
from lastcall.ports import Entropy
from tests.world import TENANT, World

NATIVE = DialectName("native")
PASSWORDS = {
    "admin": "Admin_1234",
    "engineer": "Engineer_1234",
    "monitor": "Monitor_1234",
    "john": "johnpassword",
    "owner": "owner",
    "tess": "Tess_1234",
    "emil": "Emil_1234",
    "gone": "Gone_1234",
    "stranger": "Stranger_1234",
}
LIFETIME = Lifetime(idle=HOUR, absolute=DAY)


def mint(entropy: Entropy, _id: SessionId, _expires: Instant) -> str:
    return entropy.bytes(32).hex()


def origin(dialect: str = "native", address: str = "10.0.0.1", agent: str = "curl/8") -> Origin:
    return Origin(
        dialect=DialectName(dialect), address=address, port=4711, user_agent=agent, request_id="r"
    )


def credentials(name: str, **more: Any) -> Credentials:
    return Credentials(name=name, **{"password": PASSWORDS.get(name, "x"), **more})


async def begin(
    world: World,
    name: str,
    *,
    dialect: str = "native",
    tenant: TenantId = TENANT,
    address: str = "10.0.0.1",
    lifetime: Lifetime = LIFETIME,
    admission: tuple[Admission, ...] = (),
    refreshable: bool = False,
    **more: Any,
) -> LoggedIn:
    place = origin(dialect, address)
    proven = await prove(world.env, tenant, place, credentials(name, **more))
    start = Start(
        kind=Kind.API,
        lifetime=lifetime,
        mint=mint,
        admission=admission,
        mint_refresh=mint if refreshable else None,
        token_life=Duration(HOUR) if refreshable else None,
    )
    return await login(world.env, place, proven, start)


async def end(world: World, caller: Caller) -> None:
    assert caller.session is not None
    await logout(world.env, caller, OneSession(session=caller.session.id))


async def caller_with(
    world: World, token: str, dialect: str = "native", tenant: TenantId = TENANT
) -> Caller:
    return await validate(world.env, tenant, token, origin(dialect))


async def alive(world: World, logged_in: LoggedIn) -> bool:
    session = logged_in.session
    try:
        await validate(
            world.env,
            session.tenant,
            logged_in.token,
            origin(session.dialect),
            counts_as_use=False,
        )
    except NotAuthenticated:
        return False
    return True


async def audit(world: World, tenant: TenantId = TENANT) -> list[Record]:
    async with world.env.store.transaction(tenant) as tx:
        return list(await tx.records(0, 1_000))


async def last_event(world: World, tenant: TenantId = TENANT) -> tuple[str, str, str]:
    event = (await audit(world, tenant))[-1].event
    return event.action, event.outcome, event.code
