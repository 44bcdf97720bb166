"""The one set of stand-ins for the ports; the contracts hold them to what the real ones do."""

import hashlib
import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence

from lastcall.domain.client import Client
from lastcall.domain.delivery import Outcome
from lastcall.domain.errors import StoreUnavailable
from lastcall.domain.token import same
from lastcall.domain.trial import Trial
from lastcall.domain.types import ClientId, Duration, Instant
from lastcall.wire import Hit

EPOCH = Instant(1_460_024_840_683)
"""Where the clock of the golden conversations stands: the `ts` of the SOAJS page."""


class FakeClock:
    """Stands still until told to move; the wall can be set apart from it."""

    def __init__(self, at: Instant = EPOCH) -> None:
        self.at = at
        self.wall_offset = 0

    def now(self) -> Instant:
        return self.at

    def wall(self) -> Instant:
        return Instant(self.at + self.wall_offset)

    def advance(self, milliseconds: int) -> None:
        self.at = Instant(self.at + milliseconds)


class CountingEntropy:
    """Bytes that differ with every draw and are the same in every run."""

    def __init__(self) -> None:
        self.drawn = 0

    def bytes(self, size: int) -> bytes:
        self.drawn += 1
        out = b""
        block = 0
        while len(out) < size:
            out += hashlib.sha256(f"{self.drawn}:{block}".encode()).digest()
            block += 1
        return out[:size]


class FakePasswords:
    """A fast hash in the place of a slow one."""

    async def hash(self, digest: str) -> str:
        return f"fake${digest.lower()}"

    async def verify(self, encoded: str, digest: str) -> bool:
        return bool(encoded) and same(encoded, f"fake${digest.lower()}")


class FakeTotp:
    """A code is `secret` + step, to three digits each: readable in conversations."""

    def step(self, secret: str, code: str, at: Instant) -> int | None:
        now, code = at // 30_000, "".join(code.split())
        steps = (now, now - 1, now + 1) if secret else ()
        return next((step for step in steps if self.code(secret, step) == code), None)

    def code(self, secret: str, step: int) -> str:
        digest = hashlib.sha256(f"{secret}:{step}".encode()).digest()
        return f"{int.from_bytes(digest[:4]) % 1_000_000:06d}"


class FakeMailer:
    """Keeps what was sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, str, Instant]] = []

    async def send_code(self, to: str, username: str, code: str, expires: Instant) -> None:
        self.sent.append((to, username, code, expires))


class FakeVault:
    """Reversible on sight, bound to its context all the same."""

    def seal(self, text: str, context: str) -> str:
        return f"sealed[{context}]{text[::-1]}"

    def open(self, sealed: str, context: str) -> str:
        head = f"sealed[{context}]"
        if not sealed.startswith(head):
            raise StoreUnavailable("sealed for another context")
        return sealed.removeprefix(head)[::-1]

    def mac(self, text: str, context: str) -> str:
        return hmac.digest(context.encode(), text.encode(), "sha256").hex()


class FakeSigner:
    """Tokens with everything in them but a signature anybody else could check."""

    issuer = "https://lastcall.example"

    async def sign(self, claims: Mapping[str, object], *, typ: str, alg: str) -> str:
        if alg not in ("RS256", "ES256", "EdDSA"):
            raise ValueError(f"no key for {alg}")
        header = {"typ": typ, "alg": alg, "kid": f"fake-{alg}"}
        signed = ".".join(_encoded(json.dumps(one).encode()) for one in (header, claims))
        return f"{signed}.{_encoded(hmac.digest(alg.encode(), signed.encode(), 'sha256'))}"

    def jwks(self) -> Mapping[str, object]:
        algorithms = ("RS256", "ES256", "EdDSA")
        return {"keys": [{"kid": f"fake-{alg}", "use": "sig", "alg": alg} for alg in algorithms]}

    async def rotate(self, alg: str | None = None) -> None:
        if alg not in (None, "RS256", "ES256", "EdDSA"):
            raise ValueError(f"no key for {alg}")


class FakeApplications:
    """Knows every wire but one; an application answers by what its `url` begins with."""

    on_again: Callable[[ClientId], None] | None = None

    def problems(self, client: Client) -> Sequence[str]:
        if client.connector == "pigeon":
            return ["connector: must be one of webhook, backchannel"]
        wrong = client.settings.get("wrong")
        return [f"wrong: {wrong}"] if wrong else []

    async def test(self, client: Client) -> Trial:
        if client.settings.get("url", "").startswith("https://dead."):
            return Trial(outcome=Outcome.RETRY, took=Duration(7), error="connect")
        return Trial(outcome=Outcome.DONE, status=200, received=2, took=Duration(12))


def _encoded(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


class CountingLimiter:
    """Fixed windows on the fake clock."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.counts: dict[tuple[str, int], int] = {}

    def hit(self, key: str, limit: int, window: int) -> Hit:
        start = self.clock.now() // window
        count = self.counts.get((key, start), 0) + 1
        self.counts[key, start] = count
        return Hit(
            allowed=count <= limit,
            remaining=max(0, limit - count),
            reset=(start + 1) * window,
        )
