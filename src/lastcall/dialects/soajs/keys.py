"""External keys: which tenant a call is for, in the form SOAJS gives them."""

import hashlib
import re
from collections.abc import Mapping

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

from lastcall.dialects.soajs.settings import Tenant

HEX_DIGITS = 192
BLOCK_BITS = 128
PLAIN = re.compile(rb"[0-9a-f]{24}[0-9a-f]{24}[0-9a-f]{32}(\d{1,2})_([\x20-\x7e]+)")
PACKAGE = "LASTC_BASIC"


def tenant_of(tenants: Mapping[str, Tenant], key: str) -> tuple[str, Tenant] | None:
    """The tenant a key leads to, and its name; keys are compared case and all."""
    return next(((name, one) for name, one in tenants.items() if key in one.keys), None)


def mint_key(tenant_id: str, chance: bytes, password: str, package: str = PACKAGE) -> str:
    """A key for a tenant, from 28 random bytes; `package` has 3 to 12 characters.

    The parts are the tenant's id, 12 random bytes, the internal key of 16 bytes and the length
    and code of a package, which stands for a product's rights at the vendor's and for nothing here.
    """
    if len(chance) != 28 or not 3 <= len(package) <= 12:
        raise ValueError("a key takes 28 random bytes and a package code of 3 to 12 characters")
    plain = f"{tenant_id}{chance.hex()}{len(package)}_{package}".encode("ascii")
    padder = PKCS7(BLOCK_BITS).padder()
    encryptor = _cipher(password).encryptor()
    padded = padder.update(plain) + padder.finalize()
    return (encryptor.update(padded) + encryptor.finalize()).hex()


def well_formed(key: str, password: str) -> bool:
    """Whether this is a key at all (else 132), known or not (153)."""
    if len(key) != HEX_DIGITS or not re.fullmatch(r"[0-9A-Fa-f]+", key):
        return False
    decryptor, unpadder = _cipher(password).decryptor(), PKCS7(BLOCK_BITS).unpadder()
    try:
        padded = decryptor.update(bytes.fromhex(key)) + decryptor.finalize()
        plain = unpadder.update(padded) + unpadder.finalize()
    except ValueError:
        return False
    found = PLAIN.fullmatch(plain)
    return found is not None and int(found[1]) == len(found[2])


def _cipher(password: str) -> Cipher[CBC]:
    """AES-256-CBC as `openssl enc -nosalt -md md5` derives key and start vector."""
    secret, block = password.encode(), b""
    derived = b""
    while len(derived) < 48:
        block = hashlib.md5(block + secret, usedforsecurity=False).digest()
        derived += block
    return Cipher(AES(derived[:32]), CBC(derived[32:48]))
