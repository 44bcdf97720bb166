"""Codes by mail: where they go, what they say, and what never gets out when they fail."""

import email
import logging
import os
import stat
import time
from collections.abc import AsyncIterator
from email import policy
from pathlib import Path

import pytest

from lastcall.authenticators.mail import (
    QueuedMailer,
    SmtpServer,
    code_mail,
    folder_mailer,
    smtp_mailer,
)
from tests.contract.authenticator import AT, MailerContract
from tests.contract.gates import until
from tests.contract.smtp import MailServer, certificate

pytestmark = pytest.mark.slow

SENDER = "Lastcall <lastcall@example.com>"
TO = "emil@example.com"


def mails_in(folder: Path) -> list[str]:
    return [path.read_text() for path in sorted(folder.glob("*.eml"))]


class TestFolderMailer(MailerContract):
    @pytest.fixture
    async def mailer(self, tmp_path: Path) -> QueuedMailer:
        self.folder, self.sending = tmp_path / "mail", folder_mailer(tmp_path / "mail")
        return self.sending

    async def delivered(self) -> list[str]:
        await self.sending.close()
        return [str(email.message_from_string(text)["To"]) for text in mails_in(self.folder)]


class TestSmtpMailer(MailerContract):
    @pytest.fixture
    async def mailer(self) -> AsyncIterator[QueuedMailer]:
        self.server = MailServer()
        listening = await self.server.start()
        target = SmtpServer(host="127.0.0.1", port=self.server.port, security="none")
        self.sending = smtp_mailer(target, SENDER)
        yield self.sending
        listening.close()

    async def delivered(self) -> list[str]:
        await self.sending.close()
        return [recipient for recipients, _ in self.server.mails for recipient in recipients]


def test_what_the_mail_says() -> None:
    message = code_mail(SENDER, TO, "emil", "123456", AT)
    body = message.get_content()
    assert "123-456" in body
    assert "emil" in body
    assert "until 2016-04-07 10:27 UTC" in body
    headers = "\n".join(str(value) for value in message.values())
    assert "123" not in headers.replace(str(message["Message-ID"]), "")
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_content_type() == "text/plain"
    assert b"=\r\n" not in message.as_bytes()


@pytest.mark.parametrize(
    "to",
    [
        "",
        "emil",
        "@example.com",
        "emil@",
        "emil@example.com, eve@example.com",
        "emil@example.com;eve@example.com",
        "Emil <emil@example.com>",
        "emil@example.com\nBcc: eve@example.com",
        "emil@example.com\r\n\r\nbody",
        "emil@example.com\0",
        "emil@exa\u2028mple.com",
        "a@b@c",
        '"a b"@example.com',
    ],
)
def test_only_one_plain_address_is_mailed_to(to: str) -> None:
    with pytest.raises(ValueError, match="address"):
        code_mail(SENDER, to, "emil", "123456", AT)


@pytest.mark.parametrize("name", ["emil\r\nBcc: eve@example.com", "a\nb", "\x1b[31m", "\u202eeve"])
def test_a_name_cannot_add_lines_or_headers(name: str) -> None:
    raw = code_mail(SENDER, TO, name, "123456", AT).as_bytes()
    again = email.message_from_bytes(raw, policy=policy.default)
    assert again["Bcc"] is None
    assert len(again.get_content().splitlines()) == 7
    assert b"\x1b" not in raw


async def test_files_are_private_and_the_log_says_where(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    mailer = folder_mailer(tmp_path / "mail")
    await mailer.send_code(TO, "emil", "123456", AT)
    await mailer.close()
    (path,) = (tmp_path / "mail").iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert str(path) in caplog.text
    assert "123456" not in caplog.text
    assert "123-456" not in caplog.text


async def smtp(
    server: MailServer, target: SmtpServer, caplog: pytest.LogCaptureFixture, to: str = TO
) -> str:
    """Send one code; what the log says about it."""
    caplog.set_level(logging.DEBUG)
    mailer = smtp_mailer(target, SENDER)
    await mailer.send_code(to, "emil", "123456", AT)
    await mailer.close()
    assert "123456" not in caplog.text
    assert "123-456" not in caplog.text
    assert "swordfish" not in caplog.text
    return caplog.text


async def test_starttls_with_a_trusted_certificate(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tls, trusted = certificate(tmp_path, "localhost")
    server = MailServer(tls=tls)
    async with await server.start():
        target = SmtpServer(
            host="localhost",
            port=server.port,
            ca_file=trusted,
            username="lastcall",
            password="swordfish",
        )
        await smtp(server, target, caplog)
    assert server.secure == [True]
    assert len(server.logins) == 1
    recipients, text = server.mails[0]
    assert recipients == [TO]
    assert "123-456" in text


@pytest.mark.parametrize("name", ["localhost", "mail.example.com"])
async def test_nothing_is_told_to_a_server_that_is_not_trusted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    """Neither to one with an unknown certificate nor to one with another's."""
    tls, trusted = certificate(tmp_path, name)
    server = MailServer(tls=tls)
    async with await server.start():
        target = SmtpServer(
            host="localhost",
            port=server.port,
            ca_file="" if name == "localhost" else trusted,
            username="lastcall",
            password="swordfish",
        )
        text = await smtp(server, target, caplog)
    assert "SSLCertVerificationError" in text
    assert (server.mails, server.logins) == ([], [])


async def test_a_server_without_starttls_gets_nothing(caplog: pytest.LogCaptureFixture) -> None:
    server = MailServer()
    async with await server.start():
        text = await smtp(server, SmtpServer(host="127.0.0.1", port=server.port), caplog)
    assert "could not be sent" in text
    assert server.mails == []


async def test_a_refusal_is_logged_without_what_it_quotes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = MailServer(refuses="554 no: 123456")
    async with await server.start():
        target = SmtpServer(host="127.0.0.1", port=server.port, security="none")
        text = await smtp(server, target, caplog)
    assert "SMTPDataError 554" in text


async def test_a_server_that_is_not_there(caplog: pytest.LogCaptureFixture) -> None:
    server = MailServer()
    (await server.start()).close()
    target = SmtpServer(host="127.0.0.1", port=server.port)
    assert "ConnectionRefusedError" in await smtp(server, target, caplog)


async def test_a_server_that_hangs_delays_nobody(caplog: pytest.LogCaptureFixture) -> None:
    server = MailServer(hangs=True)
    async with await server.start():
        target = SmtpServer(host="127.0.0.1", port=server.port, timeout=0.3)
        mailer = smtp_mailer(target, SENDER)
        for _ in range(5):
            await mailer.send_code(TO, "emil", "123456", AT)
        assert caplog.text.count("could not be sent") < 5, "nobody waited until it was"
        await mailer.close(patience=60)
    assert caplog.text.count("could not be sent") == 5


async def test_a_bad_address_is_logged_and_no_more(caplog: pytest.LogCaptureFixture) -> None:
    server = MailServer()
    async with await server.start():
        target = SmtpServer(host="127.0.0.1", port=server.port, security="none")
        text = await smtp(server, target, caplog, to=f"{TO}\nBcc: eve@example.com")
    assert "ValueError" in text
    assert server.mails == []


async def test_a_full_queue_drops_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mailer = QueuedMailer(lambda _mail: "nowhere", SENDER, queue=3)
    for _ in range(5):
        await mailer.send_code(TO, "emil", "123456", AT)
    await mailer.close()
    assert caplog.text.count("a mail was dropped") == 2


async def test_closing_waits_so_long_and_no_longer(caplog: pytest.LogCaptureFixture) -> None:
    server = MailServer(hangs=True)
    async with await server.start():
        target = SmtpServer(host="127.0.0.1", port=server.port, timeout=60.0)
        mailer = smtp_mailer(target, SENDER)
        for _ in range(4):
            await mailer.send_code(TO, "emil", "123456", AT)
        start = time.perf_counter()
        await mailer.close(patience=0.1)
        assert time.perf_counter() - start < 30
        assert "4 mails were dropped" in caplog.text
        await mailer.send_code(TO, "emil", "123456", AT)
        await until(lambda: "RuntimeError" in caplog.text)


async def test_a_folder_that_cannot_be_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    mailer = folder_mailer(tmp_path / "file")
    await mailer.send_code(TO, "emil", "123456", AT)
    await mailer.close()
    assert "could not be sent" in caplog.text
    assert os.listdir(tmp_path) == ["file"]
