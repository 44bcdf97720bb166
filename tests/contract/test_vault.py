"""The vault and its key file: made once, private, and of use to nobody else."""

import os
import stat
from base64 import urlsafe_b64decode, urlsafe_b64encode
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lastcall.authenticators.vault import KeyFileError, KeyVault, open_vault
from lastcall.domain.errors import StoreUnavailable
from tests.contract.authenticator import SECRET, VaultContract


class TestKeyVault(VaultContract):
    @pytest.fixture
    def vault(self) -> KeyVault:
        return KeyVault(bytes(range(32)))


def test_sealing_twice_gives_two_values() -> None:
    vault = KeyVault(bytes(32))
    assert vault.seal(SECRET, "x") != vault.seal(SECRET, "x")


def test_another_key_opens_nothing_and_makes_other_macs() -> None:
    one, two = KeyVault(bytes(32)), KeyVault(bytes(31) + b"\1")
    with pytest.raises(StoreUnavailable):
        two.open(one.seal(SECRET, "x"), "x")
    assert one.mac(SECRET, "x") != two.mac(SECRET, "x")


def test_one_changed_bit_anywhere_is_noticed() -> None:
    vault = KeyVault(bytes(32))
    raw = urlsafe_b64decode(vault.seal("secret", "x").removeprefix("v1."))
    for place in range(len(raw)):
        bent = raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]
        with pytest.raises(StoreUnavailable):
            vault.open("v1." + urlsafe_b64encode(bent).decode(), "x")


def test_a_master_key_has_32_bytes() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        KeyVault(b"short")


def test_the_key_file_is_made_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "lastcall.key"
    sealed = open_vault(path).seal(SECRET, "x")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert open_vault(path).open(sealed, "x") == SECRET
    assert os.listdir(path.parent) == ["lastcall.key"]


def test_several_that_start_at_once_share_one_key(tmp_path: Path) -> None:
    path = tmp_path / "lastcall.key"
    with ThreadPoolExecutor(8) as threads:
        vaults = list(threads.map(lambda _: open_vault(path), range(8)))
    assert len({vault.mac("a", "b") for vault in vaults}) == 1
    assert os.listdir(tmp_path) == ["lastcall.key"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666, 0o644])
def test_a_key_others_can_reach_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "lastcall.key"
    open_vault(path)
    path.chmod(mode)
    with pytest.raises(KeyFileError, match="chmod 600"):
        open_vault(path)


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"lastcall-key-1:", b"lastcall-key-1:QUJD", b"x" * 100, b"\xff" * 50]
)
def test_a_file_that_holds_no_key_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "lastcall.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match="does not hold"):
        open_vault(path)
    assert path.read_bytes() == content


def test_a_folder_is_no_key_file(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError):
        open_vault(tmp_path)


def test_a_key_file_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(KeyFileError):
        open_vault(tmp_path / "file" / "lastcall.key")
