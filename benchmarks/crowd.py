"""Scene: a store in a folder with a crowd in it, for others to open: many people, many devices."""

import asyncio
import hashlib
import json
import sys
from dataclasses import replace
from pathlib import Path

from benchmarks.house import SLICE, TENANT, house
from lastcall.bench import furnishing
from lastcall.domain.factor import Factor, Method
from lastcall.domain.session import Session
from lastcall.domain.subject import Subject
from lastcall.domain.types import DialectName, Instant, Kind, Serial
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
    known = "$argon2id$v=19$m=19456,t=2,p=1$" + f"{number:022d}$" + f"{number:043d}"
    return replace(furnishing.subject(number, now), password_hash=known)


def _login(backends: Backends, number: int, serial: Serial, now: Instant) -> Session:
    chance = int.from_bytes(hashlib.sha256(str(number).encode()).digest()[:8])
    agent = _agent(chance)
    dialect, kind = WIRES[chance % len(WIRES)]
    proven = Factor(method=Method.PASSWORD, at=Instant(now - chance % 90))
    return replace(
        furnishing.session(number // EACH, number, serial, now),
        dialect=dialect,
        kind=kind,
        address=".".join(str(chance >> place & 255) for place in (32, 24, 16, 8)),
        port=1_024 + chance % 60_000,
        host=HOSTS[chance % len(HOSTS)],
        user_agent=agent,
        device=backends.env.device_of(agent),
        factors=(proven,),
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
