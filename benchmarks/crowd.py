"""Scene: a store in a folder with a crowd in it, for others to open: many people, many devices."""

import asyncio
import hashlib
import json
import sys
from pathlib import Path

from benchmarks.house import SLICE, TENANT, house, token
from lastcall.domain.factor import Factor, Method
from lastcall.domain.session import Session
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
    later,
)
from lastcall.main import Backends

EACH = 10
"""Sessions that one person has."""

HOSTS = ("login.example.com", "api.example.com", "intranet.example.com:8443")
SYSTEMS = (
    "Windows NT 10.0; Win64; x64",
    "Macintosh; Intel Mac OS X 10_15_7",
    "X11; Linux x86_64",
    "Linux; Android 14; Pixel 8",
    "iPhone; CPU iPhone OS 17_5 like Mac OS X",
)
VERSIONS = range(110, 150)
WIRES = (
    (DialectName("native"), Kind.API),
    (DialectName("multitech"), Kind.BROWSER),
    (DialectName("rocketchat"), Kind.NON_BROWSER),
)


async def crowd(folder: Path, sessions: int) -> None:
    async with house(folder) as backends:
        await gather(backends, sessions)


async def gather(backends: Backends, sessions: int) -> None:
    """So many live sessions, as logins leave them: a password proven, no application joined."""
    for first in range(0, sessions, SLICE):
        async with backends.env.store.transaction(TENANT) as tx:
            now = backends.env.clock.now()
            for number in range(first, min(first + SLICE, sessions)):
                if number % EACH == 0:
                    await tx.add_subject(_person(number // EACH, now))
                serial = await tx.next_serial()
                await tx.add_session(_login(backends, number, serial, now))


def _person(number: int, now: Instant) -> Subject:
    return Subject(
        id=SubjectId(f"u_{number:016d}"),
        tenant=TENANT,
        username=f"person{number}",
        password_hash="$argon2id$v=19$m=19456,t=2,p=1$" + f"{number:022d}$" + f"{number:043d}",
        role="monitor",
        version=Serial(0),
        created=now,
        changed=now,
        email=f"person{number}@example.com",
    )


def _login(backends: Backends, number: int, serial: Serial, now: Instant) -> Session:
    chance = int.from_bytes(hashlib.sha256(str(number).encode()).digest()[:8])
    agent = _agent(chance)
    dialect, kind = WIRES[chance % len(WIRES)]
    proven = Factor(method=Method.PASSWORD, at=Instant(now - chance % 90))
    return Session(
        id=SessionId(f"s{number:016d}"),
        tenant=TENANT,
        subject=SubjectId(f"u_{number // EACH:016d}"),
        token_hash=hash_token(token(number)),
        serial=serial,
        dialect=dialect,
        kind=kind,
        address=".".join(str(chance >> place & 255) for place in (32, 24, 16, 8)),
        port=1_024 + chance % 60_000,
        host=HOSTS[chance % len(HOSTS)],
        user_agent=agent,
        device=backends.env.device_of(agent),
        factors=(proven,),
        created=now,
        last_seen=now,
        idle=Duration(HOUR),
        expires=later(now, DAY),
    )


def _agent(chance: int) -> str:
    system = SYSTEMS[chance % len(SYSTEMS)]
    version = VERSIONS[(chance >> 4) % len(VERSIONS)]
    build = (chance >> 10) % 8
    return (
        f"Mozilla/5.0 ({system}) AppleWebKit/537.36 (KHTML, like Gecko) "
        f"Chrome/{version}.0.{build}.0 Safari/537.36"
    )


if __name__ == "__main__":
    asyncio.run(crowd(Path(sys.argv[1]), int(sys.argv[2])))
    print(json.dumps({"sessions": int(sys.argv[2])}))
