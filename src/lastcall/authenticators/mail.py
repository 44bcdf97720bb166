"""Codes by mail: into a folder or over SMTP, always behind the caller's back."""

import asyncio
import logging
import os
import re
import secrets
import smtplib
import ssl
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid
from pathlib import Path
from typing import Literal

from lastcall.domain.types import Instant

log = logging.getLogger(__name__)

ADDRESS = re.compile(r"([^\s@<>()\[\],;:\\\"]+)@([^\s@<>()\[\],;:\\\"]+)")
"""One plain address: no display name, no list, nothing a header could be broken with."""

Deliver = Callable[[EmailMessage], str]
"""Delivers one mail, blocking, and says where it went; raises `OSError`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpServer:
    """`security` is starttls (587), tls (465), or none for a relay on this very machine.

    The server's certificate is checked against the system's, or against `ca_file`. `timeout` is
    in seconds and holds for each step of the exchange.
    """

    host: str
    port: int = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str = ""
    password: str = ""
    ca_file: str = ""
    timeout: float = 10.0


class QueuedMailer:
    """Returns at once; up to `queue` mails wait or are under way, more are dropped and logged."""

    def __init__(self, deliver: Deliver, sender: str, *, queue: int = 256, workers: int = 2):
        self._deliver = deliver
        self._sender = sender
        self._queue = queue
        self._threads = ThreadPoolExecutor(workers, "mail")
        self._under_way: set[asyncio.Task[None]] = set()

    async def send_code(self, to: str, username: str, code: str, expires: Instant) -> None:
        if len(self._under_way) >= self._queue:
            log.error("a mail was dropped: %d are waiting already", self._queue)
            return
        task = asyncio.create_task(self._send(to, username, code, expires))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def close(self, patience: float = 10.0) -> None:
        """Give what is under way `patience` seconds, and drop the rest."""
        waiting = set(self._under_way)
        if waiting:
            _, late = await asyncio.wait(waiting, timeout=patience)
            for task in late:
                task.cancel()
            if late:
                log.error("%d mails were dropped at the end", len(late))
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _send(self, to: str, username: str, code: str, expires: Instant) -> None:
        loop = asyncio.get_running_loop()
        try:
            message = code_mail(self._sender, to, username, code, expires)
            where = await loop.run_in_executor(self._threads, self._deliver, message)
        except (OSError, RuntimeError, ValueError) as error:  # its text may quote the mail
            log.error("a mail could not be sent: %s", _kind(error))
        else:
            log.info("a mail went to %s", where)


def folder_mailer(folder: Path, sender: str = "lastcall@localhost") -> QueuedMailer:
    """Each mail becomes one .eml file that only this account's user can read."""
    return QueuedMailer(lambda message: _into_folder(folder, message), sender)


def smtp_mailer(server: SmtpServer, sender: str) -> QueuedMailer:
    return QueuedMailer(lambda message: _over_smtp(server, message), sender)


def code_mail(sender: str, to: str, username: str, code: str, expires: Instant) -> EmailMessage:
    """The mail that carries a code, in its body alone: subjects end up in mail servers' logs.

    Raises `ValueError` when `to` is not one plain address.
    """
    found = ADDRESS.fullmatch(to)
    if found is None or not to.isprintable():
        raise ValueError("not one plain address")
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = Address(username=found[1], domain=found[2])
    message["Subject"] = "Your login code"
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2].rstrip(">") or "localhost")
    message["Auto-Submitted"] = "auto-generated"
    name = "".join(character if character.isprintable() else "?" for character in username[:100])
    end = datetime.fromtimestamp(expires / 1000, UTC)
    message.set_content(
        f"Somebody, probably you, asked for a code as {name}.\n\n"
        f"The code is {code[:3]}-{code[3:]}\n\n"
        f"It can be used once, until {end:%Y-%m-%d %H:%M} UTC. Give it to nobody.\n"
        "If it was not you who asked, do nothing.\n"
        "If it happens again, change your password.\n"
    )
    return message


def _into_folder(folder: Path, message: EmailMessage) -> str:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    name = f"{time.time_ns()}-{secrets.token_hex(4)}.eml"
    draft, path = folder / f".{name}", folder / name
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(message.as_bytes())
    draft.rename(path)
    return str(path)


def _over_smtp(server: SmtpServer, message: EmailMessage) -> str:
    tls = ssl.create_default_context(cafile=server.ca_file or None)
    plain = server.security != "tls"
    connection = (
        smtplib.SMTP(server.host, server.port, timeout=server.timeout)
        if plain
        else smtplib.SMTP_SSL(server.host, server.port, timeout=server.timeout, context=tls)
    )
    with connection as smtp:
        if server.security == "starttls":
            smtp.starttls(context=tls)
        if server.username:
            smtp.login(server.username, server.password)
        smtp.send_message(message)
    return f"{server.host}:{server.port}"


def _kind(error: Exception) -> str:
    status = getattr(error, "smtp_code", None)
    return f"{type(error).__name__} {status}" if status else type(error).__name__
