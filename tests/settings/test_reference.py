"""Every setting has its entry in the reference, under its section, and no entry is of nothing."""

import re
from pathlib import Path

import msgspec
import pytest

from lastcall.settings import (
    AppSettings,
    MailSettings,
    OutboxSettings,
    PasswordSettings,
    ServerSettings,
    StoreSettings,
    TelemetrySettings,
    TenantSettings,
)
from lastcall.wire import DialectSettings

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "settings.md"
SECTIONS: dict[str, type[msgspec.Struct]] = {
    "server": ServerSettings,
    "store": StoreSettings,
    "tenants.NAME": TenantSettings,
    "mail": MailSettings,
    "passwords": PasswordSettings,
    "dialects.NAME": DialectSettings,
    "apps.NAME": AppSettings,
    "outbox": OutboxSettings,
    "telemetry": TelemetrySettings,
}


@pytest.mark.parametrize("name", SECTIONS)
def test_every_key(name: str) -> None:
    section = PAGE.read_text().partition(f"## `[{name}]`")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`.*?`) \|", section, re.MULTILINE)
    told = {key for row in rows for key in re.findall(r"`(\w+)`", row)}
    assert told == {field.encode_name for field in msgspec.structs.fields(SECTIONS[name])}


@pytest.mark.parametrize(
    ("section", "key"),
    [("server", key) for key in ("host", "port", "max_body", "drain_seconds", "log_level")]
    + [("passwords", key) for key in ("memory_kib", "passes", "lanes", "concurrency", "queue")],
)
def test_defaults(section: str, key: str) -> None:
    text = PAGE.read_text().partition(f"## `[{section}]`")[2]
    row = re.search(rf"^\| `{key}` \| `(.*?)` \|", text, re.MULTILINE)
    assert row is not None
    assert row[1].strip('"') == str(getattr(SECTIONS[section](), key))
