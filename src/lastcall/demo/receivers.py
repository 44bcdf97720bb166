"""Five applications to be told, each with a character: of the sort that is found everywhere."""

import asyncio
import base64
import hmac
import json
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from lastcall.demo.listening import HOST, Answer, Asked, listen

NAMES = ("wiki", "mail", "crm", "files")
BOARD = "board"
"""Where what has failed is mended."""

SLOW = 1.2
"""Seconds the mail system takes over everything."""

LOGOUT = "http://schemas.openid.net/event/backchannel-logout"
NOT_FOUND: Answer = (404, {"error": "nothing here"})

Keys = Callable[[], Mapping[str, Any]]


@dataclass(slots=True)
class Receiver:
    """Whoever is not in `ended`, by session or by account, is logged in here."""

    name: str
    ended: set[str] = field(default_factory=set)
    heard: int = 0
    well: bool = True

    def shown(self) -> dict[str, Any]:
        return {"notices": self.heard, "ended": sorted(self.ended), "well": self.well}

    def alive(self, path: str) -> Answer:
        """What a probe is told of `/sessions/SID`."""
        sid = unquote(path.removeprefix("/sessions/"))
        return (404, {"alive": False}) if sid in self.ended else (200, {"alive": True})


@dataclass(frozen=True, slots=True, kw_only=True)
class Receivers:
    """All of them, behind the ports they were given. `keys` are those notices are signed with."""

    secrets: Mapping[str, str]
    keys: Keys
    every: Mapping[str, Receiver]

    async def wiki(self, asked: Asked) -> Answer:
        """Does all that it should: OpenID Connect Back-Channel Logout 1.0, sections 2.6 to 2.8."""
        me = self.every["wiki"]
        if asked.method == "GET" and asked.path.startswith("/sessions/"):
            return me.alive(asked.path)
        if (asked.method, asked.path) != ("POST", "/logout"):
            return NOT_FOUND
        me.heard += 1
        try:
            text = parse_qs(asked.body.decode("ascii"))["logout_token"][0]
            keys = KeySet.import_key_set(self.keys())  # type: ignore[arg-type]  # a JWKS as read
            claims = jwt.decode(text, keys, algorithms=["ES256"]).claims
            if claims["aud"] != "wiki" or LOGOUT not in claims["events"] or "nonce" in claims:
                raise KeyError
            me.ended.add(str(claims["sid"] if "sid" in claims else claims["sub"]))
        except (JoseError, KeyError, ValueError, IndexError):
            return 400, {"error": "invalid_request"}
        return 200, None

    async def mail(self, asked: Asked) -> Answer:
        """Obeys, in its own time."""
        await asyncio.sleep(SLOW)
        return self._hook(self.every["mail"], asked)

    async def crm(self, asked: Asked) -> Answer:
        """Obeys, once anybody is there at all."""
        me = self.every["crm"]
        if (asked.method, asked.path) != ("POST", "/revoke"):
            return NOT_FOUND
        if asked.headers.get("authorization") != f"Bearer {self.secrets['crm']}":
            return 401, {"error": "invalid_token"}
        me.heard += 1
        me.ended.add(str(json.loads(asked.body)["sub_id"]["id"]))
        return 204, None

    async def files(self, asked: Asked) -> Answer:
        """Says yes to everything, and goes on as before."""
        me = self.every["files"]
        if asked.method == "GET" and asked.path.startswith("/sessions/"):
            return me.alive(asked.path)
        if me.well:
            return self._hook(me, asked)
        me.heard += 1
        return 200, None

    def _hook(self, me: Receiver, asked: Asked) -> Answer:
        """A webhook as Standard Webhooks has it."""
        if (asked.method, asked.path) != ("POST", "/hook"):
            return NOT_FOUND
        me.heard += 1
        key = base64.b64decode(self.secrets[me.name].removeprefix("whsec_"))
        names = ("webhook-id", "webhook-timestamp")
        signed = ".".join(asked.headers.get(name, "") for name in names).encode() + b"."
        right = base64.b64encode(hmac.digest(key, signed + asked.body, "sha256")).decode()
        if f"v1,{right}" not in asked.headers.get("webhook-signature", "").split():
            return 401, {"error": "signature"}
        data = json.loads(asked.body)["data"]
        me.ended.add(str(data["sid"] or data["account"]))
        return 204, None


@asynccontextmanager
async def receiving(
    places: Mapping[str, socket.socket], secrets: Mapping[str, str], keys: Keys
) -> AsyncIterator[Receivers]:
    """All but the CRM, which is down, and the board that brings it back."""
    every = {name: Receiver(name, well=name not in ("crm", "files")) for name in NAMES}
    all_of_them = Receivers(secrets=secrets, keys=keys, every=every)
    servers: list[asyncio.Server] = []

    async def board(asked: Asked) -> Answer:
        match asked.method, asked.path:
            case "GET", "/":
                return 200, {one.name: one.shown() for one in every.values()}
            case "POST", "/crm/revive":
                if not every["crm"].well:
                    every["crm"].well = True
                    servers.append(await listen(places["crm"], all_of_them.crm))
                return 200, {"crm": "is up"}
            case "POST", "/files/mend":
                every["files"].well = True
                return 200, {"files": "ends sessions now"}
            case _:
                return NOT_FOUND

    handlers = {
        "wiki": all_of_them.wiki,
        "mail": all_of_them.mail,
        "files": all_of_them.files,
        BOARD: board,
    }
    try:
        for name, handler in handlers.items():
            servers.append(await listen(places[name], handler))
        yield all_of_them
    finally:
        for server in servers:
            server.close()
        for place in places.values():
            place.close()


def addresses(ports: Mapping[str, int]) -> Mapping[str, str]:
    return {name: f"http://{HOST}:{port}" for name, port in ports.items()}
