"""What settings must be to one another: rules over more than one key."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from lastcall.domain.client import TIMEOUTS, Ability
from lastcall.settings.locate import Path
from lastcall.settings.model import LastcallSettings
from lastcall.settings.values import HostName, decode, show_span

Complaint = tuple[Path, str]

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
HEADER = re.compile(r"[A-Za-z0-9-]{1,64}")


def rules(settings: LastcallSettings) -> Iterator[Complaint]:
    """Every rule that is broken, with the key to look at."""
    yield from _tenants(settings)
    yield from _dialects(settings)
    yield from _retention(settings)
    yield from _store(settings)
    yield from _mail(settings)
    yield from _telemetry(settings)
    yield from _apps(settings)


def _tenants(settings: LastcallSettings) -> Iterator[Complaint]:
    owners: dict[str, str] = {}
    for name, tenant in settings.tenants.items():
        if not NAME.fullmatch(name):
            yield ("tenants", name), "a tenant's name has small letters, digits, - and _ alone"
        for host in tenant.hosts:
            other = owners.setdefault(host, name)
            if other != name:
                yield ("tenants", name, "hosts"), f"{host} belongs to tenants.{other} already"


def _dialects(settings: LastcallSettings) -> Iterator[Complaint]:
    owners: dict[str, str] = {}
    for name, dialect in settings.dialects.items():
        if not dialect.enabled:
            continue
        if dialect.tenant not in settings.tenants:
            known = ", ".join(settings.tenants)
            yield ("dialects", name, "tenant"), f"no such tenant, expected one of {known}"
        for named in dialect.tenants_named:
            if named not in settings.tenants:
                yield ("dialects", name), f"names the tenant {named}, which does not exist"
        if not dialect.host:
            continue
        try:
            host = decode(HostName, dialect.host)
        except ValueError:
            yield ("dialects", name, "host"), "expected a host name, without a port"
            continue
        other = owners.setdefault(host, name)
        if other != name:
            yield ("dialects", name, "host"), f"{host} belongs to dialects.{other} already"


def _retention(settings: LastcallSettings) -> Iterator[Complaint]:
    least = settings.least_retention
    for name, tenant in settings.tenants.items():
        if tenant.retention is not None and tenant.retention < least:
            short, long = show_span(tenant.retention), show_span(least)
            why = f"a day more than the longest session of dialects.{settings.longest[0]}"
            yield ("tenants", name, "retention"), f"expected at least {long}: {why}, found {short}"


LEASES = range(200, 60_001)
"""Milliseconds: shorter ones are gone before they are renewed, longer ones make others wait."""


def _store(settings: LastcallSettings) -> Iterator[Complaint]:
    store = settings.store
    if store.lease not in LEASES:
        low, high = show_span(LEASES[0]), show_span(LEASES[-1])
        yield ("store", "lease"), f"expected {low} to {high}"
    for key in ("connect_timeout", "timeout"):
        if not getattr(store, key):
            yield ("store", key), "nothing can be waited for in no time"
    if store.password and not store.on_postgres:
        yield ("store", "password"), "a SQLite file has none"


def _mail(settings: LastcallSettings) -> Iterator[Complaint]:
    mail = settings.mail
    if mail.folder and mail.host:
        yield ("mail", "host"), "set this or mail.folder, not both"
    if mail.host and not mail.sender:
        yield ("mail", "from"), "is missing, expected the address mails are sent from"
    if mail.password and not mail.username:
        yield ("mail", "username"), "is missing, expected the name that goes with mail.password"
    if mail.username and mail.tls == "none":
        yield ("mail", "tls"), "a password is not sent unencrypted; use starttls or tls"


def _telemetry(settings: LastcallSettings) -> Iterator[Complaint]:
    endpoint = settings.telemetry.otlp_endpoint
    if endpoint and not _web_address(endpoint):
        why = 'expected an address such as "http://127.0.0.1:4318/v1/traces"'
        yield ("telemetry", "otlp_endpoint"), why
    for name, value in settings.telemetry.headers.items():
        if not HEADER.fullmatch(name) or not value.isprintable() or not value.isascii():
            yield ("telemetry", "headers", name), "cannot stand in a request's head"


def _web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return bool(parts.scheme in ("http", "https") and parts.hostname and "@" not in text)
    except ValueError:
        return False


def _apps(settings: LastcallSettings) -> Iterator[Complaint]:
    owners: dict[tuple[str, str], str] = {}
    for table, app in settings.apps.items():
        if app.tenant not in settings.tenants:
            known = ", ".join(settings.tenants)
            yield ("apps", table, "tenant"), f"no such tenant, expected one of {known}"
        other = owners.setdefault((app.tenant, app.name or table), table)
        if other != table:
            yield ("apps", table, "name"), f"{app.name or table} is apps.{other} already"
        if not app.connector and app.can is not Ability.NONE:
            why = 'is missing; an application that cannot be told says can = "none"'
            yield ("apps", table, "connector"), why
        if app.timeout not in TIMEOUTS:
            low, high = show_span(TIMEOUTS[0]), show_span(TIMEOUTS[-1])
            yield ("apps", table, "timeout"), f"expected {low} to {high}"
