"""What is open while this program runs: the store, the keys, the way out."""

import ssl
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lastcall.applications import Reach
from lastcall.authenticators.device import device_of
from lastcall.authenticators.mail import QueuedMailer, SmtpServer, folder_mailer, smtp_mailer
from lastcall.authenticators.password import Argon2Passwords
from lastcall.authenticators.totp import AuthenticatorApp
from lastcall.authenticators.vault import KeyFileError, open_vault
from lastcall.domain.errors import StoreUnavailable
from lastcall.domain.types import DialectName
from lastcall.egress import HttpEgress
from lastcall.geo import GeoFileUnreadable, open_countries
from lastcall.machine import SystemClock, SystemEntropy
from lastcall.main.apps import connectors
from lastcall.main.errors import CannotStart
from lastcall.main.record import Store, keep_in_time, offset_of, open_record
from lastcall.outward import Connector
from lastcall.ports import Env
from lastcall.settings import Configured, PasswordSettings
from lastcall.signing import Keyring, SigningKeysUnusable, open_keyring
from lastcall.stores.sqlite import SqliteBackups


@dataclass(frozen=True, slots=True, kw_only=True)
class Backends:
    """What is open, so that it can be closed."""

    env: Env
    store: Store
    passwords: Argon2Passwords
    mailer: QueuedMailer
    signer: Keyring
    egress: HttpEgress
    connectors: Mapping[str, Connector]


@asynccontextmanager
async def opened(
    configured: Configured, *, accept_rollback: bool = False, guest: bool = False
) -> AsyncIterator[Backends]:
    """Everything the verbs need, for as long as the block lasts. Raises `CannotStart`."""
    settings = configured.settings
    mail_authorities, authorities = (_certificates(configured, name) for name in ("mail", "outbox"))
    try:
        country_of = open_countries(configured.geoip) if configured.geoip else None
        vault = open_vault(configured.key_file)
        store = await open_record(
            configured,
            accept_rollback=accept_rollback,
            guest=guest,
            shared=vault.mac("the key of all nodes", "nodes"),
        )
    except (GeoFileUnreadable, KeyFileError, StoreUnavailable) as error:
        raise CannotStart(str(error)) from error
    try:
        signer = await open_keyring(configured.signing_keys, vault, configured.issuer)
    except SigningKeysUnusable as error:
        await store.close()
        raise CannotStart(str(error)) from error
    passwords, mailer = _passwords(settings.passwords), _mailer(configured, mail_authorities)
    day = offset_of(store) * 1_000_000
    clock = SystemClock(store.floor, day=lambda: time.time_ns() + day)
    keep_in_time(clock, store)
    entropy = SystemEntropy()
    egress = HttpEgress(authorities=authorities)
    wires = connectors(egress, signer)
    env = Env(
        store=store,
        clock=clock,
        entropy=entropy,
        passwords=passwords,
        totp=AuthenticatorApp(),
        mailer=mailer,
        vault=vault,
        signer=signer,
        applications=Reach(connectors=wires, vault=vault, clock=clock, entropy=entropy),
        policies=settings.policies(),
        device_of=device_of,
        country_of=country_of,
        backups=None if settings.store.on_postgres else SqliteBackups(configured.store),
        joins={DialectName(name): one.joins for name, one in settings.dialects.items()},
    )
    try:
        yield Backends(
            env=env,
            store=store,
            passwords=passwords,
            mailer=mailer,
            signer=signer,
            egress=egress,
            connectors=wires,
        )
    finally:
        await egress.close()
        await mailer.close()
        passwords.close()
        signer.close()
        await store.close()


def _passwords(costs: PasswordSettings) -> Argon2Passwords:
    return Argon2Passwords(
        memory_kib=costs.memory_kib,
        iterations=costs.passes,
        lanes=costs.lanes,
        workers=costs.concurrency,
        queue=costs.queue,
    )


def _certificates(configured: Configured, section: Literal["mail", "outbox"]) -> Path | None:
    """The `ca_file` of a section, if it names one. Raises `CannotStart`."""
    named = getattr(configured.settings, section).ca_file
    if not named:
        return None
    file = configured.path(named)
    try:
        ssl.create_default_context(cafile=file)
    except ssl.SSLError as error:
        raise CannotStart(f"{file} ({section}.ca_file) holds no certificates in PEM") from error
    except OSError as error:
        why = (error.strerror or "no reason").lower()
        raise CannotStart(f"{file} ({section}.ca_file) cannot be read: {why}") from error
    return file


def _mailer(configured: Configured, authorities: Path | None) -> QueuedMailer:
    mail = configured.settings.mail
    if not mail.host:
        folder = configured.path(mail.folder) if mail.folder else configured.store.parent / "mail"
        return folder_mailer(folder, mail.sender or "lastcall@localhost")
    server = SmtpServer(
        host=mail.host,
        port=mail.port,
        security=mail.tls,
        username=mail.username,
        password=mail.password,
        ca_file=str(authorities or ""),
    )
    return smtp_mailer(server, mail.sender)
