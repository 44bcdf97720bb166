"""Settings: one TOML file, overridden by the environment, checked whole before anything starts."""

from lastcall.settings.configured import Configured, url_of
from lastcall.settings.model import (
    AppSettings,
    LastcallSettings,
    LimitSettings,
    MailSettings,
    OutboxSettings,
    PasswordSettings,
    ServerSettings,
    StoreSettings,
    TelemetrySettings,
    TenantSettings,
)
from lastcall.settings.reading import PREFIX, Problem, SettingsWrong, read, read_file
from lastcall.settings.rules import Complaint
from lastcall.settings.values import parse_span

__all__ = [
    "PREFIX",
    "AppSettings",
    "Complaint",
    "Configured",
    "LastcallSettings",
    "LimitSettings",
    "MailSettings",
    "OutboxSettings",
    "PasswordSettings",
    "Problem",
    "ServerSettings",
    "SettingsWrong",
    "StoreSettings",
    "TelemetrySettings",
    "TenantSettings",
    "parse_span",
    "read",
    "read_file",
    "url_of",
]
