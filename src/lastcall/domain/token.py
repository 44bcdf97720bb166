"""Tokens: bearer secrets. The value exists on the wire and in the caller's hands only."""

import hashlib
import hmac
from base64 import urlsafe_b64encode

from lastcall.domain.types import TokenHash

SECRET_BYTES = 32
"""256 random bits a token, twice what OWASP ASVS 7.2.3 asks for."""


ID_BYTES = 15
"""120 random bits an id: nobody guesses one, and no two are alike."""


def secret_text(random: bytes) -> str:
    """Random bytes as a token: base64url without padding, so 43 characters for 32 bytes."""
    return urlsafe_b64encode(random).rstrip(b"=").decode("ascii")


_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS = [first + second for first in _LETTERS for second in _LETTERS]


def id_text(random: bytes) -> str:
    """Random bytes as an id that may be shown: base32 in small letters, 24 for `ID_BYTES`.

    The number of bytes is a multiple of five, so that nothing is padded.
    """
    number = int.from_bytes(random)
    places = range(len(random) * 8 - 10, -1, -10)
    return "".join([_PAIRS[number >> place & 1023] for place in places])


def hash_token(token: str) -> TokenHash:
    """What is stored and looked up. No stretching: a token is random, not chosen by a person."""
    return hash_bytes(token.encode("utf-8", "surrogatepass"))


def hash_bytes(token: bytes) -> TokenHash:
    """The same, of a token's UTF-8 bytes."""
    digest: TokenHash = hashlib.sha256(token).digest()  # type: ignore[assignment]  # a call less
    return digest


def derive(token: str, purpose: str, size: int = 16) -> str:
    """A secret bound to a token and one purpose, such as a CSRF token; dies with the token.

    `size` is in bytes before base64url without padding (16 bytes give 22 characters).
    """
    digest = hmac.digest(token.encode("utf-8", "surrogatepass"), purpose.encode(), "sha256")
    return secret_text(digest[:size])


def same(left: str, right: str) -> bool:
    """Compare two secrets in time that does not depend on where they differ."""
    return hmac.compare_digest(
        left.encode("utf-8", "surrogatepass"), right.encode("utf-8", "surrogatepass")
    )


def digest_password(password: str) -> str:
    """The SHA-256 hex of a password: what the password hash is computed over.

    Some clients send this digest and never the password, so it is the common form.
    """
    return hashlib.sha256(password.encode("utf-8", "surrogatepass")).hexdigest()
