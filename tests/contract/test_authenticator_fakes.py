"""The stand-ins the other tests use keep the same contracts as what they stand in for."""

import pytest

from tests.contract.authenticator import (
    SECRET,
    ClockContract,
    EntropyContract,
    MailerContract,
    PasswordsContract,
    TotpContract,
    VaultContract,
)
from tests.fakes import (
    CountingEntropy,
    FakeClock,
    FakeMailer,
    FakePasswords,
    FakeTotp,
    FakeVault,
)


class TestFakeClock(ClockContract):
    @pytest.fixture
    def clock(self) -> FakeClock:
        return FakeClock()


class TestCountingEntropy(EntropyContract):
    @pytest.fixture
    def entropy(self) -> CountingEntropy:
        return CountingEntropy()


class TestFakePasswords(PasswordsContract):
    @pytest.fixture
    def passwords(self) -> FakePasswords:
        return FakePasswords()


class TestFakeTotp(TotpContract):
    @pytest.fixture
    def totp(self) -> FakeTotp:
        return FakeTotp()

    def code(self, step: int) -> str:
        return FakeTotp().code(SECRET, step)


class TestFakeMailer(MailerContract):
    @pytest.fixture
    def mailer(self) -> FakeMailer:
        self.fake = FakeMailer()
        return self.fake

    async def delivered(self) -> list[str]:
        return [to for to, _, _, _ in self.fake.sent]


class TestFakeVault(VaultContract):
    @pytest.fixture
    def vault(self) -> FakeVault:
        return FakeVault()
