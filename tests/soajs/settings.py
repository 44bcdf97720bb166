"""The settings the tests of this wire share."""

from typing import Any

import msgspec

from lastcall.dialects.soajs.settings import Settings

KEY = "key-of-TEST"

TENANTS = {
    "default": {
        "id": "4442aca8e268c28b650f6a2a",
        "code": "TEST",
        "keys": [KEY],
        "locked": ["john"],
        "oauth_secret": "shhh this is a secret",
    },
    "other": {"id": "5551aca9e179c39b760f7a1a", "code": "OTHR", "keys": ["key-of-OTHR"]},
}


def settings(**more: Any) -> Settings:
    return msgspec.convert({"tenants": TENANTS, **more}, Settings)


SETTINGS = settings()
