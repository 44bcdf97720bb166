"""What every clock, hasher, code checker, mailer and vault must do; backends subclass these."""

import asyncio
from abc import ABC, abstractmethod

import pytest

from lastcall.domain.errors import StoreUnavailable
from lastcall.domain.token import digest_password
from lastcall.domain.types import Instant
from lastcall.ports import Clock, Entropy, Mailer, Passwords, Totp, Vault

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
AT = Instant(1_460_024_840_683)
STEP = 30_000


class ClockContract(ABC):
    @abstractmethod
    @pytest.fixture
    def clock(self) -> Clock: ...

    def test_it_counts_milliseconds_of_our_age(self, clock: Clock) -> None:
        for instant in (clock.now(), clock.wall()):
            assert isinstance(instant, int)
            assert 1_400_000_000_000 < instant < 10_000_000_000_000

    def test_it_never_goes_back(self, clock: Clock) -> None:
        seen = [clock.now() for _ in range(1_000)]
        assert seen == sorted(seen)


class EntropyContract(ABC):
    @abstractmethod
    @pytest.fixture
    def entropy(self) -> Entropy: ...

    def test_as_much_as_asked_and_never_the_same(self, entropy: Entropy) -> None:
        draws = [entropy.bytes(size) for size in (16, 16, 32, 33, 100)]
        assert [len(draw) for draw in draws] == [16, 16, 32, 33, 100]
        assert len(set(draws)) == len(draws)


class PasswordsContract(ABC):
    @abstractmethod
    @pytest.fixture
    def passwords(self) -> Passwords: ...

    async def test_the_right_digest_alone_verifies(self, passwords: Passwords) -> None:
        digest = digest_password("Admin_1234")
        encoded = await passwords.hash(digest)
        assert await passwords.verify(encoded, digest)
        for wrong in (digest_password("admin_1234"), "Admin_1234", "", digest[:-1], digest + "0"):
            assert not await passwords.verify(encoded, wrong)

    async def test_the_case_of_the_digest_does_not_matter(self, passwords: Passwords) -> None:
        digest = digest_password("Admin_1234")
        assert await passwords.verify(await passwords.hash(digest.upper()), digest)
        assert await passwords.verify(await passwords.hash(digest), digest.upper())

    async def test_the_hash_does_not_hold_the_password(self, passwords: Passwords) -> None:
        assert "Admin_1234" not in await passwords.hash(digest_password("Admin_1234"))

    @pytest.mark.parametrize(
        "encoded",
        [
            "",
            " ",
            "x",
            "$argon2id$",
            "$argon2id$v=19$m=8,t=1,p=1$AAAA",
            "ünicode",
            "\udce4",
            "a\0b",
        ],
    )
    async def test_nothing_verifies_against_what_is_no_hash(
        self, passwords: Passwords, encoded: str
    ) -> None:
        for digest in ("", encoded, digest_password(""), digest_password("x")):
            assert not await passwords.verify(encoded, digest)

    async def test_any_text_may_be_offered(self, passwords: Passwords) -> None:
        encoded = await passwords.hash(digest_password("x"))
        for digest in ("\udcff", "ü" * 1_000, "\0", "a" * 100_000):
            assert not await passwords.verify(encoded, digest)


class TotpContract(ABC):
    @abstractmethod
    @pytest.fixture
    def totp(self) -> Totp: ...

    @abstractmethod
    def code(self, step: int) -> str:
        """The code of a time step under `SECRET`."""

    def test_the_step_a_code_belongs_to(self, totp: Totp) -> None:
        now = AT // STEP
        for step in (now - 1, now, now + 1):
            assert totp.step(SECRET, self.code(step), AT) == step

    def test_one_step_to_either_side_and_no_further(self, totp: Totp) -> None:
        step = AT // STEP
        first, last = (step - 1) * STEP, (step + 2) * STEP - 1
        code = self.code(step)
        assert totp.step(SECRET, code, Instant(first)) == step
        assert totp.step(SECRET, code, Instant(last)) == step
        assert totp.step(SECRET, code, Instant(first - 1)) is None
        assert totp.step(SECRET, code, Instant(last + 1)) is None

    def test_spaces_do_not_matter(self, totp: Totp) -> None:
        code = self.code(AT // STEP)
        assert totp.step(SECRET, f" {code[:3]} {code[3:]}\n", AT) == AT // STEP

    @pytest.mark.parametrize(
        "code", ["", " ", "12345", "1234567", "abcdef", "-12345", "١٢٣٤٥٦", "²²²²²²", "\udcff" * 6]
    )
    def test_what_is_no_code_matches_nothing(self, totp: Totp, code: str) -> None:
        assert totp.step(SECRET, code, AT) is None

    def test_no_secret_matches_nothing(self, totp: Totp) -> None:
        for number in range(2_000):
            assert totp.step("", f"{number:06d}", AT) is None


class MailerContract(ABC):
    @abstractmethod
    @pytest.fixture
    def mailer(self) -> Mailer: ...

    @abstractmethod
    async def delivered(self) -> list[str]:
        """Whom the mails that went out so far are addressed to."""

    async def test_a_code_goes_to_its_address(self, mailer: Mailer) -> None:
        await mailer.send_code("emil@example.com", "emil", "123456", AT)
        assert await self.delivered() == ["emil@example.com"]

    async def test_many_at_once(self, mailer: Mailer) -> None:
        addresses = [f"user{number}@example.com" for number in range(20)]
        await asyncio.gather(
            *(mailer.send_code(address, "user", "123456", AT) for address in addresses)
        )
        assert sorted(await self.delivered()) == sorted(addresses)


class VaultContract(ABC):
    @abstractmethod
    @pytest.fixture
    def vault(self) -> Vault: ...

    @pytest.mark.parametrize("text", ["", "x", SECRET, "ü\n\0", "\udcff", "a" * 10_000])
    def test_what_is_sealed_opens(self, vault: Vault, text: str) -> None:
        sealed = vault.seal(text, "totp:u-1")
        assert vault.open(sealed, "totp:u-1") == text

    def test_a_seal_hides(self, vault: Vault) -> None:
        assert SECRET not in vault.seal(SECRET, "totp:u-1")

    def test_only_for_its_own_context(self, vault: Vault) -> None:
        sealed = vault.seal(SECRET, "totp:u-1")
        for context in ("totp:u-2", "totp:u-", "", "totp:u-11"):
            with pytest.raises(StoreUnavailable):
                vault.open(sealed, context)

    @pytest.mark.parametrize("sealed", ["", "x", "v1.", "v1.AAAA", "v2.AAAA", "v1.ü", "\udcff"])
    def test_what_was_not_sealed_here_does_not_open(self, vault: Vault, sealed: str) -> None:
        with pytest.raises(StoreUnavailable):
            vault.open(sealed, "totp:u-1")

    def test_a_mac_is_the_same_for_the_same_and_no_other(self, vault: Vault) -> None:
        mac = vault.mac("123456", "code:u-1")
        assert mac == vault.mac("123456", "code:u-1")
        others = [("123457", "code:u-1"), ("123456", "code:u-2"), ("6", "12345code:u-1"), ("", "")]
        assert mac not in {vault.mac(*other) for other in others}
        assert "123456" not in mac
