"""What the machine and its neighbours give: time, chance, slow hashes, codes, mail, keys."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from lastcall.domain.client import Client
from lastcall.domain.trial import Trial
from lastcall.domain.types import ClientId, Instant


class Clock(Protocol):
    def now(self) -> Instant:
        """For deadlines and records. Never goes back, also across restarts and clock steps."""
        ...

    def wall(self) -> Instant:
        """The time of day others agree on: for codes computed on another device."""
        ...


class Entropy(Protocol):
    def bytes(self, size: int) -> bytes:
        """Unpredictable bytes from the operating system."""
        ...


class Passwords(Protocol):
    """Slow hashing, off the event loop, bounded; raises `Busy` when too much is waiting."""

    async def hash(self, digest: str) -> str: ...

    async def verify(self, encoded: str, digest: str) -> bool:
        """An empty `encoded` costs the same time and is False."""
        ...


class Totp(Protocol):
    def step(self, secret: str, code: str, at: Instant) -> int | None:
        """The time step a code matches within the allowed window, None when it matches none."""
        ...


class Mailer(Protocol):
    async def send_code(self, to: str, username: str, code: str, expires: Instant) -> None:
        """Hand one code to the mail system; raises nothing a caller could learn from."""
        ...


class Vault(Protocol):
    """Keyed secrecy for what must be kept in readable or comparable form."""

    def seal(self, text: str, context: str) -> str: ...

    def open(self, sealed: str, context: str) -> str:
        """Raises `StoreUnavailable` for a value sealed elsewhere or for another context."""
        ...

    def mac(self, text: str, context: str) -> str:
        """A keyed digest, for values too short to be hashed plainly."""
        ...


class Signer(Protocol):
    """Signs as this authority; its public keys are published."""

    issuer: str

    async def sign(self, claims: Mapping[str, object], *, typ: str, alg: str) -> str:
        """A compact JWS; `alg` is RS256, ES256 or EdDSA. The key's `kid` is in the header."""
        ...

    def jwks(self) -> Mapping[str, object]:
        """The public keys, those retired and those to come included (RFC 7517)."""
        ...

    async def rotate(self, alg: str | None = None) -> None:
        """Sign with the next key of an algorithm, or of all; what was signed stays verifiable.

        Raises `ValueError` for an algorithm there is no key for.
        """
        ...


class Applications(Protocol):
    """How applications can be reached: one connector for each wire there is."""

    def problems(self, client: Client) -> Sequence[str]:
        """What is wrong with how a client is to be told, in words; its secrets are sealed."""
        ...

    async def test(self, client: Client) -> Trial:
        """Send it a real notice that can end nothing."""
        ...

    on_again: Callable[[ClientId], None] | None
    """Called when somebody wants a client told again: earlier failures are no reason to wait."""
