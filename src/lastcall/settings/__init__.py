"""Settings: one TOML file, overridden by the environment, checked whole before anything starts."""

from lastcall.settings.model import (
    LastcallSettings,
    LimitSettings,
    MailSettings,
    PasswordSettings,
    ServerSettings,
    StoreSettings,
    TenantSettings,
)
from lastcall.settings.reading import PREFIX, Problem, SettingsWrong, read, read_file

__all__ = [
    "PREFIX",
    "LastcallSettings",
    "LimitSettings",
    "MailSettings",
    "PasswordSettings",
    "Problem",
    "ServerSettings",
    "SettingsWrong",
    "StoreSettings",
    "TenantSettings",
    "read",
    "read_file",
]
