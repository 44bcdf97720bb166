"""Section I and F78: what a token is, and that nothing but itself stands for it."""

import json
import math
from base64 import urlsafe_b64decode, urlsafe_b64encode
from urllib.parse import quote

import pytest

from lastcall.domain.token import hash_token
from lastcall.ports import SessionQuery
from tests.access.driving import PASSWORD, Ask, Wire, alive, make_crowd, named, peer
from tests.access.wires import ELVIS_API, NATIVE, SOAJS, SOAJS_COOKIE, WIRES
from tests.world import TENANT, World

EVERY_WIRE = pytest.mark.parametrize("wire", WIRES, ids=named)
WHO = peer("monitor-a")
EXACT = [wire for wire in WIRES if wire not in (SOAJS, SOAJS_COOKIE)]
"""SOAJS reads its handles as leniently as Node does; what they stand for is exact there too."""


def variants(token: str) -> set[str]:
    """Spellings that a careless reader takes for the same token (CVE-2015-7546)."""
    middle = len(token) // 2
    other = "A" if token[middle] != "A" else "B"
    return {
        token.lower(),
        token.upper(),
        token.swapcase(),
        token[:-1],
        token[1:],
        token + "A",
        token + "=",
        token + "==",
        token + "\u0000",
        "A" + token,
        token * 2,
        token[::-1],
        token[:middle] + other + token[middle + 1 :],
        token.replace("-", "+").replace("_", "/"),
        token + "%20",
        token + ".",
        token + ";",
        token + ",",
        f'"{token}"',
    } - {token}


@pytest.mark.parametrize("wire", EXACT, ids=named)
async def test_only_the_token_itself_is_the_token(wire: Wire) -> None:
    """No other spelling of it is good for anything, and none of them harms it."""
    world = await make_crowd()
    held = await wire.enter(world, WHO)
    for spelling in sorted(variants(held.token)):
        if wire.cookie and not spelling.isalnum() and set(spelling) & set('",;'):
            continue  # a cookie's own punctuation, read before there is a token
        answer = await wire.send(world, wire.check({**held.shown, "token": spelling}, WHO))
        assert not answer.granted, spelling
    assert (await wire.ask_who(world, held)).granted


@EVERY_WIRE
async def test_a_token_has_room_for_128_bits(wire: Wire) -> None:
    """C35, CVE-2024-52801: as far as one can tell from the outside."""
    world = await make_crowd()
    tokens = []
    for _ in range(20):
        tokens.append((await wire.enter(world, WHO)).token)
        world.clock.advance(60_000)
    changing = [place for place in range(min(map(len, tokens))) if _varies(tokens, place)]
    alphabet = len({token[place] for token in tokens for place in changing})
    assert len(changing) * math.log2(min(alphabet, 64)) >= 128


def _varies(tokens: list[str], place: int) -> bool:
    return len({token[place] for token in tokens}) > 1


@EVERY_WIRE
async def test_the_store_knows_no_token(wire: Wire) -> None:
    """F78: only hashes of them, in sessions, in audit, in everything it holds."""
    world = await make_crowd()
    held = await wire.enter(world, WHO)
    await wire.ask_who(world, held)
    kept = await everything(world)
    assert repr(hash_token(held.token)) in kept
    for name, text in held.shown.items():
        if name != "user":
            assert text not in kept
    assert PASSWORD not in kept
    await wire.leave(world, held)
    assert held.token not in await everything(world)


async def everything(world: World) -> str:
    async with world.env.store.transaction(TENANT) as tx:
        page = await tx.sessions(SessionQuery(limit=1_000))
        rows = [*page.sessions, *await tx.subjects("", 1_000), *await tx.records(0, 1_000)]
    return "\n".join(map(repr, rows))


def part(value: object) -> str:
    return urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize("algorithm", ["none", "None", "nOnE", "HS256", "RS256", "ES256"])
async def test_a_json_web_token_is_worth_nothing_for_its_shape(algorithm: str) -> None:
    """Forged, stripped of its signature, or with a key of its own in the head."""
    world = await make_crowd()
    held = await ELVIS_API.enter(world, WHO)
    head, claims, signature = held.token.split(".")
    read = json.loads(urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    forged = [
        f"{part({'alg': algorithm})}.{claims}.",
        f"{part({'alg': algorithm})}.{claims}",
        f"{part({'alg': algorithm})}.{claims}.{signature}",
        f"{part({'alg': algorithm, 'jwk': {'kty': 'oct', 'k': 'AA'}})}.{claims}.{signature}",
        f"{part({'alg': algorithm, 'kid': '../../dev/null', 'crit': ['x']})}.{claims}.{signature}",
        f"{head}.{part({**read, 'exp': 2**40})}.{signature}",
        f"{head}.{claims}.{'A' * len(signature)}",
        f"{head}.{claims}.",
    ]
    for token in forged:
        ask = ELVIS_API.check({"token": token}, WHO)
        assert not (await ELVIS_API.send(world, ask)).granted, token
    assert await alive(world, held)


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "nonsense", ""])
async def test_who_is_no_service_learns_nothing_by_introspection(hint: str) -> None:
    """A good token and an unknown one are answered alike."""
    world = await make_crowd()
    held = await NATIVE.enter(world, WHO)
    seen = set()
    for token in (held.token, "unknown"):
        body = f"token={quote(token)}&token_type_hint={hint}".encode()
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        for authorization in ("", f"Bearer {held.token}", "Basic Og=="):
            headers = {**kind, **({"Authorization": authorization} if authorization else {})}
            answer = await NATIVE.send(world, Ask("POST", "/v1/introspect", headers, body))
            assert not answer.granted
            seen.add(answer.seen[:2])
    assert len(seen) == 1
