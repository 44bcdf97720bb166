"""Session handles: `soajsauth`, which looks different on every reply, and the signed cookie."""

import hmac
import re
from base64 import b64decode, b64encode, urlsafe_b64encode
from urllib.parse import quote, unquote_to_bytes

from lastcall.domain.token import same
from lastcall.domain.types import Instant, SessionId
from lastcall.ports import Entropy

SID_BYTES = 24
SID = re.compile(r"[A-Za-z0-9_-]{32}")
SWAPS = {
    "C01": ((3, 11), (7, 15)),
    "C02": ((4, 12), (9, 15)),
    "C03": ((5, 13), (11, 15)),
}
"""Which characters of a session id trade places, by the code in front of it."""

SCHEME, OWNER = "Basic ", "soajs:"
BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


def new_sid(entropy: Entropy) -> str:
    """192 random bits, as express-session writes them."""
    return urlsafe_b64encode(entropy.bytes(SID_BYTES)).decode("ascii")


def mint_sid(entropy: Entropy, _id: SessionId, _expires: Instant) -> str:
    return new_sid(entropy)


def masked(sid: str, code: str) -> str:
    """The session id under a mask, and out of it: each mask undoes itself."""
    characters = list(sid)
    for left, right in SWAPS.get(code, ()):
        characters[left], characters[right] = characters[right], characters[left]
    return "".join(characters)


def handle(entropy: Entropy, sid: str) -> str:
    """A value for `soajsauth`, under a mask drawn anew."""
    code = list(SWAPS)[entropy.bytes(1)[0] % len(SWAPS)]
    return SCHEME + b64encode(f"{OWNER}{code}{masked(sid, code)}".encode()).decode("ascii")


def sid_of(text: str) -> str | None:
    """The session id in a `soajsauth`; None for anything that is none, which is no error.

    What stands before `Basic ` does not matter, and an unknown code means no mask.
    """
    _, scheme, rest = (_unescaped(text) or "").partition(SCHEME)
    decoded = _lenient_base64(rest) if scheme else ""
    if not decoded.startswith(OWNER):
        return None
    code, sid = decoded[len(OWNER) :][:3], decoded[len(OWNER) + 3 :]
    return masked(sid, code) if SID.fullmatch(sid) else None


def _lenient_base64(text: str) -> str:
    """As Node reads it: either alphabet, foreign characters skipped, the end at the first `=`."""
    plain = text.partition("=")[0].replace("-", "+").replace("_", "/")
    letters = re.sub(r"[^A-Za-z0-9+/]", "", plain)
    letters = letters[:-1] if len(letters) % 4 == 1 else letters
    return b64decode(letters + "=" * (-len(letters) % 4)).decode("latin-1")


def cookie_value(sid: str, secret: str) -> str:
    """What express-session puts into its cookie, percent-encoded."""
    return quote(f"s:{sid}.{_signature(sid, secret)}", safe="")


def sid_of_cookie(value: str, secret: str) -> str | None:
    """The session id of a cookie whose signature is right."""
    text = _unescaped(value) or ""
    sid, _, signature = text.removeprefix("s:").rpartition(".")
    good = text.startswith("s:") and same(signature, _signature(sid, secret))
    return sid if good and SID.fullmatch(sid) else None


def _unescaped(text: str) -> str | None:
    """Percent-decoded; None for a broken escape, at which the vendor's server dies."""
    if BROKEN_ESCAPE.search(text):
        return None
    try:
        return unquote_to_bytes(text.encode()).decode()
    except UnicodeError:
        return None


def _signature(sid: str, secret: str) -> str:
    digest = hmac.digest(secret.encode(), sid.encode(), "sha256")
    return b64encode(digest).decode("ascii").rstrip("=")
