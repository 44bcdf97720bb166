"""The signing keys: sealed at rest in one small file, published as a JWKS, and rotated."""

import asyncio
import os
import secrets
import stat
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey
from joserfc.jws import JWSRegistry
from joserfc.util import urlsafe_b64encode

from lastcall.domain.errors import StoreUnavailable
from lastcall.ports import Vault

ALGORITHMS = ("RS256", "ES256", "EdDSA")
RSA_BITS = 2_048
RSA_THREADS = 2
"""An RS256 signature takes 0.2 ms or more, too long for the loop; the others take a tenth."""


class KeyState(StrEnum):
    """`NEXT` is published before it is used; `RETIRED` stays published, its private part gone."""

    NEXT = "next"
    CURRENT = "current"
    RETIRED = "retired"


class SigningKeysUnusable(Exception):
    """The file of signing keys cannot be used; the text says which and why, and no secret."""


class _Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One key as kept: the public half to be read, the private one sealed."""

    kid: str
    alg: str
    state: KeyState
    public: dict[str, Any]
    sealed: str


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    keys: list[_Row]


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    kid: str
    alg: str
    state: KeyState
    public: Mapping[str, Any]
    private: Key | None = field(repr=False)


class Keyring:
    """The Signer port over keys in one file; made by `open_keyring`."""

    def __init__(self, path: Path, vault: Vault, issuer: str, keys: Sequence[SigningKey]) -> None:
        self.issuer = issuer
        self._path = path
        self._vault = vault
        self._keys = tuple(keys)
        self._current = _current(self._keys)
        self._threads = ThreadPoolExecutor(RSA_THREADS, thread_name_prefix="signing")

    async def sign(self, claims: Mapping[str, object], *, typ: str, alg: str) -> str:
        """Raises `ValueError` for an algorithm there is no key for."""
        key = self._current.get(alg)
        if key is None:
            raise ValueError(f"no key for {alg}")
        if alg == "RS256":
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, _signed, key, typ, claims)
        token = _signed(key, typ, claims)
        await asyncio.sleep(0)  # others sign first: in a row they find the curve's tables cached
        return token

    def jwks(self) -> Mapping[str, object]:
        return {"keys": [dict(key.public) for key in self._keys]}

    @property
    def keys(self) -> Sequence[SigningKey]:
        """All of them, for showing: retired ones too."""
        return self._keys

    async def rotate(self, alg: str | None = None) -> None:
        """Use the next key of an algorithm, or of all; keep the old one's public half for good.

        What was signed stays verifiable. Nothing changes before the new file is on disk.
        """
        if alg is not None and alg not in ALGORITHMS:
            raise ValueError(f"no key for {alg}")
        turned = ALGORITHMS if alg is None else (alg,)
        fresh = await asyncio.to_thread(lambda: [_made(one, KeyState.NEXT) for one in turned])
        keys = [*(_turned(key) if key.alg in turned else key for key in self._keys), *fresh]
        await asyncio.to_thread(_write, self._path, self._vault, keys)
        self._keys = tuple(keys)
        self._current = _current(self._keys)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


async def open_keyring(path: Path, vault: Vault, issuer: str) -> Keyring:
    """The keys of a file, which is made when there is none. Raises `SigningKeysUnusable`."""
    try:
        keys = await asyncio.to_thread(_opened, path, vault)
    except OSError as error:
        raise SigningKeysUnusable(f"{path}: {error.strerror}") from error
    return Keyring(path, vault, issuer, keys)


def public_keys(path: Path) -> Mapping[str, object]:
    """The JWKS of a file, which nothing needs to be opened for. Raises `SigningKeysUnusable`."""
    try:
        rows = msgspec.json.decode(path.read_bytes(), type=_File).keys
    except OSError as error:
        raise SigningKeysUnusable(f"{path}: {error.strerror}") from error
    except msgspec.MsgspecError as error:
        raise SigningKeysUnusable(f"{path}: does not hold signing keys") from error
    return {"keys": [row.public for row in rows]}


def _opened(path: Path, vault: Vault) -> list[SigningKey]:
    if not path.exists():
        states = (KeyState.CURRENT, KeyState.NEXT)
        _write(path, vault, [_made(alg, state) for alg in ALGORITHMS for state in states])
    return _read(path, vault)


def _signed(key: SigningKey, typ: str, claims: Mapping[str, object]) -> str:
    """A compact serialization (RFC 7515 3.1).

    Not by `jws.serialize_compact`, which warns of "EdDSA", the name receivers know (RFC 9864).
    """
    signed = b".".join((_header(typ, key.alg, key.kid), _part(claims)))
    signature = JWSRegistry.algorithms[key.alg].sign(signed, key.private)
    return b".".join((signed, urlsafe_b64encode(signature))).decode("ascii")


@lru_cache(64)
def _header(typ: str, alg: str, kid: str) -> bytes:
    return _part({"typ": typ, "alg": alg, "kid": kid})


def _part(of: Mapping[str, object]) -> bytes:
    return urlsafe_b64encode(msgspec.json.encode(of))


def _current(keys: Sequence[SigningKey]) -> dict[str, SigningKey]:
    return {key.alg: key for key in keys if key.state is KeyState.CURRENT}


def _turned(key: SigningKey) -> SigningKey:
    match key.state:
        case KeyState.NEXT:
            return replace(key, state=KeyState.CURRENT)
        case _:
            return replace(key, state=KeyState.RETIRED, private=None)


def _made(alg: str, state: KeyState) -> SigningKey:
    made: RSAKey | ECKey | OKPKey
    match alg:
        case "RS256":
            made = RSAKey.generate_key(RSA_BITS)
        case "ES256":
            made = ECKey.generate_key("P-256")
        case "EdDSA":
            made = OKPKey.generate_key("Ed25519")
        case _:
            raise ValueError(f"no key for {alg}")
    kid = made.thumbprint()
    shown = {**made.as_dict(private=False), "kid": kid, "use": "sig", "alg": alg}
    return SigningKey(kid=kid, alg=alg, state=state, public=shown, private=made)


def _context(kid: str) -> str:
    return f"signing-key:{kid}"


def _write(path: Path, vault: Vault, keys: Sequence[SigningKey]) -> None:
    """Complete, durable and private before it has its name."""
    rows = [
        _Row(
            kid=key.kid,
            alg=key.alg,
            state=key.state,
            public=dict(key.public),
            sealed=_sealed(vault, key),
        )
        for key in keys
    ]
    text = msgspec.json.format(msgspec.json.encode(_File(version=1, keys=rows)), indent=1)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text + b"\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _sealed(vault: Vault, key: SigningKey) -> str:
    if key.private is None:
        return ""
    whole = msgspec.json.encode(key.private.as_dict(private=True)).decode("ascii")
    return vault.seal(whole, _context(key.kid))


def _read(path: Path, vault: Vault) -> list[SigningKey]:
    with path.open("rb") as file:
        if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
            raise SigningKeysUnusable(
                f"{path}: others can read or write it; run `chmod 600 {path}`"
            )
        text = file.read()
    try:
        rows = msgspec.json.decode(text, type=_File).keys
        keys = [
            SigningKey(
                kid=row.kid,
                alg=row.alg,
                state=row.state,
                public=row.public,
                private=_private(vault, row),
            )
            for row in rows
        ]
    except msgspec.MsgspecError as error:
        raise SigningKeysUnusable(f"{path}: does not hold signing keys") from error
    except StoreUnavailable as error:
        raise SigningKeysUnusable(f"{path}: {error.detail}") from error
    if set(_current(keys)) != set(ALGORITHMS):
        raise SigningKeysUnusable(f"{path}: lacks a current key")
    return keys


def _private(vault: Vault, row: _Row) -> Key | None:
    if not row.sealed:
        return None
    raw = msgspec.json.decode(vault.open(row.sealed, _context(row.kid)))
    kinds: dict[str, type[RSAKey] | type[ECKey] | type[OKPKey]] = {
        "RS256": RSAKey,
        "ES256": ECKey,
        "EdDSA": OKPKey,
    }
    return kinds[row.alg].import_key(raw)
