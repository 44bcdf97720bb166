"""The way out: HTTP to checked and pinned addresses, that follows, remembers and trusts nothing."""

import asyncio
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from lastcall.addresses import Address, Forbidden, Place, allowed, place
from lastcall.domain.types import Duration
from lastcall.outward import Answer, NoAnswer

MOST_OF_A_BODY = 64 * 1024
"""Bytes of an answer that are read; one that has more is no answer."""

CONNECTING = 0.5
"""The share of a request's time in which a connection must stand."""

KEEP_SECONDS = 4.0
"""How long an idle connection is kept: a little less than the usual server keeps it."""

NAME_SECONDS = 10
"""How long a look-up, checked, is good for."""

LOOKERS = 32
"""Look-ups at once; the system's resolver blocks a thread for each."""

UNTYPED = ("Content-Type",)
"""What is not to be said of a body that is not there."""

LookUp = Callable[[str], Awaitable[Sequence[str]]]
"""A host's addresses, as the names say now. Raises `OSError`."""


class SystemLookUp:
    """Names as this machine resolves them, in threads of their own."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(LOOKERS, thread_name_prefix="names")

    async def __call__(self, host: str) -> Sequence[str]:
        asked = partial(socket.getaddrinfo, host, None, type=socket.SOCK_STREAM)
        found = await asyncio.get_running_loop().run_in_executor(self._threads, asked)
        return list(dict.fromkeys(str(address[0]) for *_, address in found))

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


class ForbiddenAddress(OSError):
    """A name that leads to no address a request may go to."""


class _CheckedNames(AbstractResolver):
    """Hands the connector only addresses that pass: what it connects to is what was checked."""

    def __init__(self, look_up: LookUp, *, private: bool) -> None:
        self._look_up = look_up
        self._private = private

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        addresses = [ip_address(text) for text in await self._look_up(host)]
        passing = [one for one in addresses if allowed(one, private=self._private)]
        if not passing:
            raise ForbiddenAddress("not public") if addresses else OSError("no address")
        return [_resolved(host, one, port) for one in passing]

    async def close(self) -> None:
        pass


def _resolved(host: str, address: Address, port: int) -> ResolveResult:
    return ResolveResult(
        hostname=host,
        host=str(address),
        port=port,
        family=socket.AF_INET if isinstance(address, IPv4Address) else socket.AF_INET6,
        proto=socket.IPPROTO_TCP,
        flags=socket.AI_NUMERICHOST,
    )


class HttpEgress:
    """The Egress port over aiohttp; to be made inside a running loop, and closed.

    Private and public requests share nothing, so that a connection made for the one never serves
    the other. `authorities` is a PEM file of further certificate authorities.
    """

    def __init__(
        self,
        *,
        look_up: LookUp | None = None,
        authorities: Path | None = None,
        connections: int = 512,
        per_origin: int = 32,
    ) -> None:
        self._own = SystemLookUp() if look_up is None else None
        names = look_up or self._own
        assert names is not None
        context = _tls(authorities)
        self._connectors = {
            private: aiohttp.TCPConnector(
                resolver=_CheckedNames(names, private=private),
                ttl_dns_cache=NAME_SECONDS,
                keepalive_timeout=KEEP_SECONDS,
                limit=connections,
                limit_per_host=per_origin,
                ssl=context,
            )
            for private in (False, True)
        }
        self._sessions = {
            private: aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                auto_decompress=False,
                read_bufsize=MOST_OF_A_BODY,
                headers={"User-Agent": "Lastcall", "Accept-Encoding": "identity"},
            )
            for private, connector in self._connectors.items()
        }

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
        try:
            where = place(url, private=private)
        except Forbidden as error:
            raise NoAnswer("address", sent=False) from error
        began = time.monotonic()
        try:
            async with asyncio.timeout(within / 1000):
                status, received, content = await self._exchange(
                    method, where, headers, body, within, private=private
                )
        except (NoAnswer, aiohttp.ClientError, OSError, ValueError) as error:
            if isinstance(error, aiohttp.ClientConnectorError):  # it may have moved
                self._connectors[private].clear_dns_cache(where.host, where.port)
            raise _no_answer(error) from error
        took = Duration(int((time.monotonic() - began) * 1000))
        return Answer(status=status, headers=received, body=content, took=took)

    async def _exchange(
        self,
        method: str,
        where: Place,
        headers: Mapping[str, str] | None,
        body: bytes,
        within: Duration,
        *,
        private: bool,
    ) -> tuple[int, Mapping[str, str], bytes]:
        async with self._sessions[private].request(
            method,
            _url(where),
            headers=headers,
            data=body or None,
            skip_auto_headers=None if body else UNTYPED,
            allow_redirects=False,
            timeout=_patience(within),
        ) as response:
            if (response.content_length or 0) > MOST_OF_A_BODY:
                response.close()
                raise NoAnswer("too-large", sent=True)
            content = bytearray()
            async for chunk in response.content.iter_any():
                content += chunk
                if len(content) > MOST_OF_A_BODY:
                    response.close()
                    raise NoAnswer("too-large", sent=True)
            received: dict[str, str] = {}
            for name, value in response.headers.items():
                low = name.lower()
                received[low] = f"{received[low]}, {value}" if low in received else value
            return response.status, received, bytes(content)

    async def close(self) -> None:
        for session in self._sessions.values():
            await session.close()
        if self._own is not None:
            self._own.close()


@lru_cache(256)
def _patience(within: Duration) -> aiohttp.ClientTimeout:
    """Only for connecting; the whole is timed by the request itself."""
    return aiohttp.ClientTimeout(total=None, connect=within / 1000 * CONNECTING)


@lru_cache(4_096)
def _url(where: Place) -> URL:
    host = f"[{where.host}]" if isinstance(where.literal, IPv6Address) else where.host
    query = f"?{where.query}" if where.query else ""
    return URL(f"{where.scheme}://{host}:{where.port}{where.path}{query}", encoded=True)


def _tls(authorities: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if authorities is not None:
        context.load_verify_locations(cafile=authorities)
    return context


MEANINGS: Sequence[tuple[tuple[type[Exception], ...], str, bool]] = (
    ((aiohttp.ClientConnectorSSLError, aiohttp.ClientConnectorCertificateError), "tls", False),
    ((aiohttp.ClientConnectorError,), "connect", False),
    ((aiohttp.ConnectionTimeoutError,), "timeout", False),
    ((TimeoutError,), "timeout", True),
    ((ssl.SSLError,), "tls", True),
    ((aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError, OSError), "lost", True),
    ((aiohttp.ClientError,), "protocol", True),
    ((ValueError,), "protocol", False),  # what could not be written: a line break in a header
)
"""The reason behind an error and whether the request may have been sent; the first that fits."""


def _no_answer(error: Exception) -> NoAnswer:
    match error:
        case NoAnswer():
            return error
        case aiohttp.ClientConnectorDNSError(os_error=ForbiddenAddress()):
            return NoAnswer("address", sent=False)
        case _:
            reason, sent = next((r, s) for kinds, r, s in MEANINGS if isinstance(error, kinds))
            return NoAnswer(reason, sent=sent)
