"""Compact JWS as this product writes them, and not one kind more."""

import binascii
import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

Keys = Mapping[str, Ed25519PublicKey]
"""By `kid`."""

ALG = "EdDSA"
HEADER = frozenset({"alg", "kid", "typ"})
"""All that a header may hold: nothing in a token says which key it is checked with but `kid`."""

PART = re.compile(r"[A-Za-z0-9_-]*")


class NotGenuine(Exception):
    """The text says why, and repeats nothing of what was given but short names."""


def keys_of(text: str) -> Keys:
    """The Ed25519 keys of a JWKS (RFC 7517, RFC 8037); other kinds are passed over."""
    try:
        found = plain_json(text)["keys"]
        mine = [one for one in found if one["kty"] == "OKP" and one["crv"] == "Ed25519"]
        keys = {
            str(one["kid"]): Ed25519PublicKey.from_public_bytes(_bytes(one["x"]))
            for one in mine
            if one.get("use", "sig") == "sig" and one.get("alg", ALG) == ALG
        }
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise NotGenuine("the keys cannot be read: not a JWKS") from error
    if len(keys) < len(mine):
        raise NotGenuine("the keys cannot be told apart")
    if not keys:
        raise NotGenuine("there is no Ed25519 key among the keys")
    return keys


def opened(token: str, keys: Keys, typ: str) -> Mapping[str, Any]:
    """The claims of a token that one of the keys signed for this purpose."""
    parts = token.split(".")
    if len(parts) != 3:
        raise NotGenuine("it is not a compact JWS")
    try:
        header, claims = (plain_json(_bytes(part).decode()) for part in parts[:2])
        signature = _bytes(parts[2])
    except ValueError as error:
        raise NotGenuine("it is not a readable JWS") from error
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise NotGenuine("it is not a readable JWS")
    more = sorted(header.keys() - HEADER)
    if more:
        raise NotGenuine(f"its header holds {', '.join(more)[:80]}, which is not accepted")
    if header.get("alg") != ALG:
        raise NotGenuine(f"its algorithm is not {ALG}")
    if header.get("typ") != typ:
        raise NotGenuine(f"it is not of type {typ}")
    kid = header.get("kid")
    key = keys.get(kid) if isinstance(kid, str) else None
    if key is None:
        raise NotGenuine("it names a key that is not among the keys given")
    try:
        key.verify(signature, f"{parts[0]}.{parts[1]}".encode("ascii"))
    except InvalidSignature as error:
        raise NotGenuine("its signature is wrong: something in it was altered") from error
    return claims


def compact(text: str) -> str:
    """A JWS as it stands in a file: compact, or in the flattened JSON form (RFC 7515 7.2.2)."""
    text = text.strip()
    if not text.startswith("{"):
        return text
    try:
        found = plain_json(text)
        if found.keys() != {"protected", "payload", "signature"}:
            raise NotGenuine("it is not a signed receipt")
        return ".".join(str(found[name]) for name in ("protected", "payload", "signature"))
    except ValueError as error:
        raise NotGenuine("it is not a readable JWS") from error


def plain_json(text: str) -> Any:
    """JSON without members given twice. Raises `ValueError`."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise ValueError("a member is there twice")
        return found

    try:
        return json.loads(text, object_pairs_hook=once)
    except RecursionError as error:
        raise ValueError("too deep") from error


def _bytes(part: str) -> bytes:
    """base64url without padding, in its one spelling. Raises `ValueError`."""
    if not PART.fullmatch(part):
        raise ValueError("not base64url")
    try:
        found = urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except binascii.Error as error:
        raise ValueError("not base64url") from error
    if urlsafe_b64encode(found).rstrip(b"=").decode("ascii") != part:
        raise ValueError("not base64url")
    return found
