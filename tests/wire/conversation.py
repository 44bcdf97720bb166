"""Golden conversations: literal requests and replies, read from and written to plain text.

A file is one story. Its first line names the source of the shapes (`# source: seed`, `vendor` or
`ours`); further `#` lines are remarks, but for `# settings: {...}` (JSON, the dialect's section)
and `# policy: {...}` (what the tenants' rules have different).
Exchanges are parted by a line `===`; in one, the request is parted from the reply by `---`:

    POST /services/logout
    X-CSRF-TOKEN: AAAA

    body, if any
    ---
    200
    Content-Type: application/json

    {"logoutSuccess" : true}

Between exchanges a line may turn a knob: `@advance MILLISECONDS`, `@address IP`, `@port N`,
`@host NAME`, `@tenant NAME`. `{{mail}}` in a request stands for the newest code mailed, and
`{{totp NAME}}` for the current code of that account. A body is kept to the byte, without the one
line end before the separator; `\\r` stands for a carriage return in request bodies.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from lastcall.domain.policy import Policy
from lastcall.domain.types import TenantId
from lastcall.wire import Call, Dialect, Reply
from tests.world import ACCOUNTS, World

SOURCES = ("seed", "vendor", "ours")


@dataclass
class Exchange:
    knobs: list[str]
    request: str
    reply: str


@dataclass
class Story:
    path: Path
    head: list[str]
    exchanges: list[Exchange] = field(default_factory=list)

    @property
    def source(self) -> str:
        return self.head[0].removeprefix("# source: ").strip() if self.head else ""

    @property
    def settings(self) -> dict[str, Any]:
        return self._told("# settings: ")

    @property
    def policy(self) -> Policy:
        return replace(Policy(), **self._told("# policy: "))

    def _told(self, mark: str) -> dict[str, Any]:
        for line in self.head:
            if line.startswith(mark):
                loaded: dict[str, Any] = json.loads(line.removeprefix(mark))
                return loaded
        return {}


def read(path: Path) -> Story:
    lines = path.read_text(encoding="utf-8", errors="surrogateescape").split("\n")
    head = []
    while lines and lines[0].startswith("#"):
        head.append(lines.pop(0))
    story = Story(path, head)
    for chunk in "\n".join(lines).rstrip("\n").split("\n===\n"):
        request, _, reply = f"{chunk}\n".partition("\n---\n")
        knobs = []
        rest = request.lstrip("\n").split("\n")
        while rest and (rest[0].startswith("@") or not rest[0]):
            line = rest.pop(0)
            if line:
                knobs.append(line)
        story.exchanges.append(Exchange(knobs, "\n".join(rest), reply.rstrip("\n")))
    return story


def write(story: Story) -> None:
    chunks = []
    for exchange in story.exchanges:
        knobs = "".join(f"{line}\n" for line in exchange.knobs)
        chunks.append(f"{knobs}{exchange.request}\n---\n{exchange.reply}")
    text = "\n".join(story.head) + "\n\n" + "\n===\n".join(chunks) + "\n"
    story.path.write_text(text, encoding="utf-8", errors="surrogateescape")


def shown(reply: Reply) -> str:
    headers = "".join(f"{name}: {value}\n" for name, value in reply.headers)
    body = reply.body.decode("utf-8", "surrogateescape")
    return f"{reply.status}\n{headers}\n{body}".rstrip("\n")


def filled(text: str, world: World) -> str:
    def code(found: re.Match[str]) -> str:
        account = next(one for one in ACCOUNTS if one.username == found[1])
        secret = world.vault.open(account.totp_secret, f"totp:{account.id}")
        return world.totp.code(secret, world.clock.wall() // 30_000)

    text = re.sub(r"\{\{totp (\w+)\}\}", code, text)
    return text.replace("{{mail}}", world.mailer.sent[-1][2] if world.mailer.sent else "")


async def replay(story: Story, dialect: Dialect[Any], world: World) -> list[str]:
    """What the dialect really answers, exchange by exchange."""
    return [shown(reply) async for _, _, reply in played(story, dialect, world)]


async def played(
    story: Story, dialect: Dialect[Any], world: World
) -> AsyncIterator[tuple[Exchange, Call[Any], Reply]]:
    """Each exchange with the call it became and the reply to it."""
    settings = msgspec.convert(story.settings, dialect.settings)
    place: dict[str, Any] = {}
    for exchange in story.exchanges:
        for knob in exchange.knobs:
            name, _, value = knob[1:].partition(" ")
            if name == "advance":
                world.clock.advance(int(value))
            else:
                place[name] = {"port": int, "tenant": TenantId}.get(name, str)(value)
        call = call_of(filled(exchange.request, world), dialect, world, settings, place)
        yield exchange, call, await gathered(await dialect.answer(call))


TURNS = 500
"""Of the loop, after which what says nothing has said what it had to say. No seconds: those go by
also while this process does not get to run."""


async def quiet() -> None:
    for _ in range(TURNS):
        await asyncio.sleep(0)


async def gathered(reply: Reply) -> Reply:
    """A stream as one body: up to its end, or until it only waits for news."""
    if reply.stream is None:
        return reply
    pieces: list[bytes] = []
    while True:
        coming = asyncio.ensure_future(anext(reply.stream, None))
        waited = asyncio.ensure_future(quiet())
        await asyncio.wait({coming, waited}, return_when=asyncio.FIRST_COMPLETED)
        waited.cancel()
        if not coming.done():
            coming.cancel()
            await asyncio.wait({coming})
            break
        piece = coming.result()
        if piece is None:
            break
        pieces.append(piece)
    return reply.with_(body=b"".join((reply.body, *pieces)), stream=None)


def call_of(
    request: str, dialect: Dialect[Any], world: World, settings: Any, place: dict[str, Any]
) -> Call[Any]:
    head, _, body = request.partition("\n\n")
    first, *header_lines = head.split("\n")
    method, _, target = first.partition(" ")
    headers: dict[str, tuple[str, ...]] = {}
    for line in header_lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = (*headers.get(name.lower(), ()), value.strip())
    sent = body.replace("\\r", "\r").encode("utf-8", "surrogateescape")
    call = world.call(dialect, method, target, body=sent, settings=settings, **place)
    return call.with_(headers=headers)
