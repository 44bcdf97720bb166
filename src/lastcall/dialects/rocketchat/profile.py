"""The profile of the one who is logged in, as `me` and the login show it."""

from urllib.parse import quote

from lastcall.domain.factor import Method
from lastcall.domain.subject import Subject, second_factors
from lastcall.wire import iso_time

SERVICES = {Method.TOTP: "totp", Method.EMAIL: "email2fa"}


def roles(role: str) -> list[str]:
    """Everybody is a `user`; the rank's own name comes with it."""
    return ["user", role]


def profile(subject: Subject, public_url: str) -> dict[str, object]:
    """Never a hash, never a token. An address on file counts as verified."""
    services: dict[str, object] = {"password": {"exists": bool(subject.password_hash)}}
    for method in second_factors(subject):
        services[SERVICES[method]] = {"enabled": True}
    emails = [{"address": subject.email, "verified": True}] if subject.email else []
    found: dict[str, object] = {
        "_id": subject.id,
        "name": subject.display_name or subject.username,
        "username": subject.username,
        "emails": emails,
        "status": "online",
        "statusConnection": "online",
        "utcOffset": 0,
        "active": subject.enabled,
        "roles": roles(subject.role),
        "settings": {"profile": {}, "preferences": {}},
    }
    if subject.email:
        found["email"] = subject.email
    return {
        **found,
        "avatarUrl": f"{public_url}/avatar/{quote(subject.username, safe='')}",
        "_updatedAt": iso_time(subject.changed),
        "isOAuthUser": False,
        "services": services,
    }
