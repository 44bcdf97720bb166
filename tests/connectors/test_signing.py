"""The signing keys: what they sign verifies, they rotate, and nobody reads them off the disk."""

import asyncio
import json
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from joserfc import jwt
from joserfc.errors import BadSignatureError
from joserfc.jwk import KeySet

from lastcall.authenticators.vault import KeyVault
from lastcall.outward import Signer
from lastcall.signing import Keyring, KeyState, SigningKeysUnusable, open_keyring
from tests.contract.signer import ALGORITHMS, CLAIMS, SignerContract, decoded, published
from tests.fakes import FakeSigner

# RFC 9864 would have "Ed25519" for it, which receivers do not know yet.
pytestmark = pytest.mark.filterwarnings("ignore:EdDSA is deprecated")

ISSUER = "https://lastcall.example"
VAULT = KeyVault(bytes(range(32)))


class TestFakeSigner(SignerContract):
    @pytest.fixture
    def signer(self) -> FakeSigner:
        return FakeSigner()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of keys, made once: RSA keys take their time."""
    return tmp_path_factory.mktemp("keys") / "keys.json"


@pytest.fixture
def copied(made: Path, tmp_path: Path) -> Path:
    """A copy of one's own, so that it may be rotated and spoilt."""
    if not made.exists():
        asyncio.run(open_keyring(made, VAULT, ISSUER)).close()
    return written(tmp_path / "keys.json", made.read_bytes())


def written(path: Path, content: bytes) -> Path:
    path.touch(0o600)
    path.write_bytes(content)
    return path


@pytest.fixture
async def ring(copied: Path) -> AsyncIterator[Keyring]:
    keyring = await open_keyring(copied, VAULT, ISSUER)
    yield keyring
    keyring.close()


class TestKeyring(SignerContract):
    @pytest.fixture
    def signer(self, ring: Keyring) -> Keyring:
        return ring


def verify(token: str, signer: Signer, *algorithms: str) -> jwt.Token:
    keys = KeySet.import_key_set(json.loads(json.dumps(signer.jwks())))
    return jwt.decode(token, keys, algorithms=[*algorithms])


async def sign(signer: Signer, alg: str) -> str:
    return await signer.sign(CLAIMS, typ="JWT", alg=alg)


@pytest.mark.parametrize("alg", ALGORITHMS)
async def test_what_is_signed_verifies_with_what_is_published(ring: Keyring, alg: str) -> None:
    token = await sign(ring, alg)
    assert verify(token, ring, alg).claims == CLAIMS
    head, payload, signature = token.split(".")
    other = (await sign(ring, alg)).split(".")[0]
    forged = f"{other}.{payload[:-2]}AA.{signature}"
    with pytest.raises(BadSignatureError):
        verify(forged, ring, alg)
    assert decoded(head)["kid"] in published(ring)


def test_the_keys_are_as_strong_as_promised(ring: Keyring) -> None:
    kinds = {key.alg: key.public for key in ring.keys}
    assert len(decoded_bytes(kinds["RS256"]["n"])) == 2_048 // 8
    assert kinds["ES256"]["crv"] == "P-256"
    assert kinds["EdDSA"]["crv"] == "Ed25519"


def decoded_bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


async def test_the_same_keys_after_a_restart(ring: Keyring, tmp_path: Path) -> None:
    token = await sign(ring, "ES256")
    again = await open_keyring(tmp_path / "keys.json", VAULT, ISSUER)
    assert again.jwks() == ring.jwks()
    assert decoded((await sign(again, "ES256")).split(".")[0]) == decoded(token.split(".")[0])
    again.close()


async def test_112_a_key_is_published_before_and_after_its_time(ring: Keyring) -> None:
    before = published(ring)
    old = await sign(ring, "ES256")
    await ring.rotate("ES256")
    new = await sign(ring, "ES256")
    kids = [decoded(token.split(".")[0])["kid"] for token in (old, new)]
    assert kids[0] != kids[1]
    assert set(kids) <= set(before)
    assert verify(old, ring, "ES256").claims == verify(new, ring, "ES256").claims
    states = {key.kid: key.state for key in ring.keys if key.alg == "ES256"}
    assert [states[kid] for kid in kids] == [KeyState.RETIRED, KeyState.CURRENT]
    assert sorted(states.values()) == ["current", "next", "retired"]
    assert [key.state for key in ring.keys if key.alg == "EdDSA"] == ["current", "next"]


async def test_rotated_keys_stay_so_and_retired_ones_cannot_sign(
    ring: Keyring, tmp_path: Path
) -> None:
    for _ in range(3):
        await ring.rotate("EdDSA")
    again = await open_keyring(tmp_path / "keys.json", VAULT, ISSUER)
    assert again.jwks() == ring.jwks()
    retired = [key for key in again.keys if key.state is KeyState.RETIRED]
    assert len(retired) == 3
    assert all(key.private is None for key in retired)
    again.close()


@pytest.mark.slow
async def test_all_rotate_together(ring: Keyring) -> None:
    await ring.rotate()
    assert len(published(ring)) == 9
    for alg in ALGORITHMS:
        verify(await sign(ring, alg), ring, alg)


async def test_the_file_shows_no_private_key(ring: Keyring, copied: Path) -> None:
    await ring.rotate("ES256")
    text = readable_only_by_its_owner(copied)
    for key in ring.keys:
        if key.private is not None:
            secret = str(key.private.as_dict(private=True)["d"])
            assert secret not in text
            assert secret not in repr(key)


def readable_only_by_its_owner(path: Path) -> str:
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    return path.read_text()


@pytest.mark.parametrize(
    ("spoilt", "said"),
    [
        (b"", "signing keys"),
        (b"\xff\xfe", "signing keys"),
        (b"{}", "signing keys"),
        (b'{"version": 1, "keys": []}', "current"),
        (b'{"version": 1, "keys": [{"kid": "x"}]}', "signing keys"),
    ],
)
def test_a_spoilt_file_is_named(tmp_path: Path, spoilt: bytes, said: str) -> None:
    path = written(tmp_path / "keys.json", spoilt)
    unusable(path, rf"keys\.json: .*{said}")
    assert path.read_bytes() == spoilt


def unusable(path: Path, said: str, vault: KeyVault = VAULT) -> None:
    with pytest.raises(SigningKeysUnusable, match=said):
        asyncio.run(open_keyring(path, vault, ISSUER))


def test_a_file_others_can_read_is_refused(copied: Path) -> None:
    copied.chmod(0o640)
    unusable(copied, "chmod 600")


def test_another_vault_does_not_open_it(copied: Path) -> None:
    unusable(copied, "sealed with another key", KeyVault(bytes(32)))


def test_a_key_under_the_name_of_another_is_refused(copied: Path) -> None:
    """Sealed parts are bound to their key: they cannot be swapped in the file."""
    kept = json.loads(copied.read_text())
    rows = kept["keys"]
    rows[0]["sealed"], rows[1]["sealed"] = rows[1]["sealed"], rows[0]["sealed"]
    copied.write_text(json.dumps(kept))
    unusable(copied, "for another use")


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    unusable(tmp_path / "file" / "keys.json", "File exists|Not a directory")
