"""A store in a folder of its own, filled with people and their sessions."""

from pathlib import Path

from lastcall.domain.session import Device, Session
from lastcall.domain.subject import Subject
from lastcall.domain.token import hash_token
from lastcall.domain.types import (
    DAY,
    HOUR,
    DialectName,
    Duration,
    Instant,
    Kind,
    Serial,
    SessionId,
    SubjectId,
    TenantId,
    later,
)
from lastcall.main import configured, opened
from lastcall.ports import Transaction

TENANT = TenantId("default")
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
EACH = 10
"""Sessions of one person."""

SLICE = 2_000
"""Sessions written in one transaction."""

CONFIG = """\
[server]
port = %d
log_level = "error"

[store]
url = "sqlite:lastcall.db"

[tenants.default]
"""


def config_in(folder: Path, port: int) -> Path:
    """A configuration for a server of its own, with its store beside it."""
    folder.mkdir(exist_ok=True)
    path = folder / "lastcall.toml"
    path.write_text(CONFIG % port, encoding="ascii")
    return path


def token(number: int) -> str:
    """The token of a session, of the length and the look of a real one."""
    return f"lct_{number:043d}"


async def fill(config: Path, sessions: int) -> None:
    """So many sessions, each with the token of its number."""
    async with opened(configured(config, {})) as backends:
        now = backends.env.clock.now()
        for start in range(0, sessions, SLICE):
            async with backends.env.store.transaction(TENANT) as tx:
                for number in range(start, min(start + SLICE, sessions)):
                    await _add(tx, number, now)


async def _add(tx: Transaction, number: int, now: Instant) -> None:
    person, another = divmod(number, EACH)
    if not another:
        await tx.add_subject(subject(person, now))
    await tx.add_session(session(person, number, await tx.next_serial(), now))


def subject_id(number: int) -> SubjectId:
    return SubjectId(f"u_{number:016d}")


def subject(number: int, now: Instant) -> Subject:
    """Somebody who cannot log in with a password."""
    return Subject(
        id=subject_id(number),
        tenant=TENANT,
        username=f"person{number}",
        password_hash="",
        role="monitor",
        version=Serial(0),
        created=now,
        changed=now,
        email=f"person{number}@example.com",
    )


def session(person: int, number: int, serial: Serial, now: Instant) -> Session:
    """A session of that person, with the token of its number."""
    return Session(
        id=SessionId(f"s{number:016d}"),
        tenant=TENANT,
        subject=subject_id(person),
        token_hash=hash_token(token(number)),
        serial=serial,
        dialect=DialectName("native"),
        kind=Kind.API,
        address=f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
        port=40_000,
        host="login.example.com",
        user_agent=AGENT,
        device=Device(type="desktop", name="Firefox", version="128.0", os_name="Linux"),
        factors=(),
        created=now,
        last_seen=now,
        idle=Duration(HOUR),
        expires=later(now, DAY),
        participants=(),
    )
