"""A real house in a temporary folder: the backends a server has, with people and applications."""

import tempfile
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from lastcall.authority.sweep import sweep
from lastcall.bench import furnishing
from lastcall.domain.client import Client
from lastcall.domain.origin import Origin
from lastcall.domain.session import Participant, Session
from lastcall.domain.subject import Subject
from lastcall.domain.token import digest_password
from lastcall.domain.types import ClientId, DialectName, Instant, Serial, SessionId, TenantId
from lastcall.main import Backends, configured, opened
from lastcall.outward import sealed_sid
from lastcall.ports import Entropy

TENANT = furnishing.TENANT
token = furnishing.token
OTHER = TenantId("other")
OTHER_HOST = "other.example"
ORIGIN = Origin(dialect=DialectName("native"), address="192.0.2.7", port=40_000, host="login")
SLICE = 1_000
"""Rows written in one transaction while a house is furnished."""

CONFIG = """\
[server]
port = %d
log_level = "error"

[store]
url = "sqlite:lastcall.db"

[tenants.default]

[tenants.other]
hosts = ["other.example"]
"""


@asynccontextmanager
async def temporary_house() -> AsyncIterator[Backends]:
    with tempfile.TemporaryDirectory(prefix="lastcall-bench-") as folder:
        async with house(Path(folder)) as backends:
            yield backends


@asynccontextmanager
async def house(folder: Path) -> AsyncIterator[Backends]:
    async with opened(configured(config_in(folder), {})) as backends:
        yield backends


def config_in(folder: Path, port: int = 0) -> Path:
    path = folder / "lastcall.toml"
    path.write_text(CONFIG % port, encoding="ascii")
    return path


def application(backends: Backends, number: int, uri: str, *, always: bool = False) -> Client:
    now = backends.env.clock.now()
    return Client(
        id=ClientId(f"c_{number}"),
        tenant=TENANT,
        name=f"application {number}",
        connector="backchannel",
        settings={"uri": uri, "client_id": f"application-{number}", "alg": "ES256"},
        always=always,
        private=True,
        created=now,
        changed=now,
    )


@dataclass(frozen=True, slots=True)
class Furnished:
    subject: Subject
    session: Session


async def add_applications(backends: Backends, clients: Iterable[Client]) -> None:
    async with backends.env.store.transaction(TENANT) as tx:
        for client in clients:
            await tx.put_client(client)


async def furnish(
    backends: Backends, many: int, clients: Sequence[Client] = (), *, first: int = 0
) -> list[Furnished]:
    """So many people, each with one session that all these applications have joined."""
    made: list[Furnished] = []
    while len(made) < many:
        async with backends.env.store.transaction(TENANT) as tx:
            for number in range(first + len(made), first + min(len(made) + SLICE, many)):
                subject = _subject(backends, number)
                await tx.add_subject(subject)
                serial = await tx.next_serial()
                session = _session(backends, number, subject, serial, clients)
                await tx.add_session(session)
                made.append(Furnished(subject, session))
    return made


def mint(entropy: Entropy, _id: SessionId, _expires: Instant) -> str:
    return f"lct_{entropy.bytes(32).hex()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """Sessions and the people who hold them, in turns; the numbers of both begin at `first`."""

    sessions: int
    people: int
    tenant: TenantId = TENANT
    role: str = "monitor"
    first: int = 0


async def fill(backends: Backends, crowd: Crowd) -> None:
    """Sessions for other processes to show the tokens of: nothing is kept here."""
    people = [
        _subject(backends, crowd.first + number, crowd.tenant, crowd.role)
        for number in range(crowd.people)
    ]
    for start in range(0, crowd.sessions, SLICE):
        async with backends.env.store.transaction(crowd.tenant) as tx:
            for number in range(start, min(start + SLICE, crowd.sessions)):
                person = people[number % len(people)]
                if number < len(people):
                    await tx.add_subject(person)
                serial = await tx.next_serial()
                await tx.add_session(_session(backends, crowd.first + number, person, serial, ()))


def _subject(
    backends: Backends, number: int, tenant: TenantId = TENANT, role: str = "monitor"
) -> Subject:
    password = digest_password(f"password of {number}")
    somebody = furnishing.subject(number, backends.env.clock.now())
    return replace(somebody, tenant=tenant, password_hash=password, role=role)


def _session(
    backends: Backends, number: int, subject: Subject, serial: Serial, clients: Sequence[Client]
) -> Session:
    vault = backends.env.vault
    login = furnishing.session(0, number, serial, backends.env.clock.now())
    return replace(
        login,
        tenant=subject.tenant,
        subject=subject.id,
        address=ORIGIN.address,
        host=ORIGIN.host,
        participants=tuple(
            Participant(
                client=client.id, sid=sealed_sid(vault, client.id, f"sid-{number}"), account=""
            )
            for client in clients
        ),
    )


async def swept(backends: Backends) -> None:
    """Until nothing is left that a logout has still to end."""
    while await backends.env.store.unswept():
        await sweep(backends.env)
