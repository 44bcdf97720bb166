"""The vault: AES-256-GCM and HMAC-SHA256 under keys that come from one small file."""

import hmac
import os
import secrets
import stat
from base64 import urlsafe_b64decode, urlsafe_b64encode
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from lastcall.domain.errors import StoreUnavailable

KEY_BYTES = 32
NONCE_BYTES = 12
VERSION = "v1."
KEY_HEAD = "lastcall-key-1:"


class KeyFileError(Exception):
    """The key file cannot be used; the message says which and why, and holds nothing of it."""


class KeyVault:
    """Seals and recognises small texts under one 32-byte master key."""

    def __init__(self, master: bytes) -> None:
        if len(master) != KEY_BYTES:
            raise ValueError("a master key has 32 bytes")
        self._cipher = AESGCM(_derived(master, b"lastcall seal v1"))
        self._mac_key = _derived(master, b"lastcall mac v1")

    def seal(self, text: str, context: str) -> str:
        nonce = os.urandom(NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, _bytes(text), _bytes(context))
        return VERSION + urlsafe_b64encode(nonce + sealed).decode("ascii")

    def open(self, sealed: str, context: str) -> str:
        if not sealed.startswith(VERSION):
            raise StoreUnavailable("a sealed value of another version")
        try:
            raw = urlsafe_b64decode(sealed.removeprefix(VERSION))
            text = self._cipher.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], _bytes(context))
        except (InvalidTag, ValueError) as error:
            raise StoreUnavailable("sealed with another key, or for another use") from error
        return text.decode("utf-8", "surrogatepass")

    def mac(self, text: str, context: str) -> str:
        bound = hmac.digest(self._mac_key, _bytes(context), "sha256")
        return hmac.digest(bound, _bytes(text), "sha256").hex()


def open_vault(path: Path) -> KeyVault:
    """The vault of a key file, which is made when there is none. Raises `KeyFileError`."""
    try:
        if not path.exists():
            _create(path)
        return KeyVault(_read(path))
    except OSError as error:
        raise KeyFileError(f"{path}: {error.strerror}") from error


def _create(path: Path) -> None:
    """Complete, durable and private before it has its name; the first of several wins."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    line = KEY_HEAD + urlsafe_b64encode(os.urandom(KEY_BYTES)).decode("ascii") + "\n"
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink()
    _sync_folder(path.parent)


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        facts = os.fstat(file.fileno())
        if not stat.S_ISREG(facts.st_mode):
            raise KeyFileError(f"{path}: is not a file")
        if facts.st_mode & 0o077:
            raise KeyFileError(f"{path}: others can read or write it; run `chmod 600 {path}`")
        text = file.read(4096)
    try:
        head, _, encoded = text.decode("ascii").strip().partition(":")
        key = urlsafe_b64decode(encoded)
    except ValueError:
        head, key = "", b""
    if f"{head}:" != KEY_HEAD or len(key) != KEY_BYTES:
        raise KeyFileError(f"{path}: does not hold a Lastcall key")
    return key


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _derived(master: bytes, use: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=use).derive(master)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
