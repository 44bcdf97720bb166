"""Devices: what a user agent says it is, in the words of Rocket.Chat's device list."""

import re
from functools import lru_cache

import ua_parser

from lastcall.domain.session import Device

LENGTH = 512
"""Characters of a user agent that are looked at."""

DESKTOP_APP = re.compile(r"Rocket\.Chat/([\w.-]+)")
OTHER = Device(type="other")
OS_NAMES = {"Mac OS X": "Mac OS"}


@lru_cache(maxsize=4096)
def _device_of(user_agent: str) -> Device:
    if user_agent.startswith("RC Mobile;"):
        return _mobile_app(user_agent)
    if not user_agent.startswith(("Mozilla/", "Opera/")):
        return OTHER
    parsed = ua_parser.parse(user_agent)
    family = parsed.device.family if parsed.device else ""
    if parsed.user_agent is None or family == "Spider":
        return OTHER
    name, system = parsed.user_agent.family, parsed.os
    version = _version(
        parsed.user_agent.major,
        parsed.user_agent.minor,
        parsed.user_agent.patch,
        parsed.user_agent.patch_minor,
    )
    if " Electron/" in user_agent:
        kind, app = "desktop-app", DESKTOP_APP.search(user_agent)
        name, version = ("Rocket.Chat", app[1]) if app else (name, version)
    else:
        kind = _kind(user_agent, system.family if system else "", family)
    return Device(
        type=kind,
        name=name,
        version=version,
        os_name=OS_NAMES.get(system.family, system.family) if system else "",
        os_version=_version(system.major, system.minor, system.patch) if system else "",
    )


def device_of(user_agent: str) -> Device:
    """Type browser, mobile, tablet, mobile-app, desktop-app or other, the rest empty for other.

    `version` is as long as the agent tells it: `113.0.0.0`, or `3.4.0 250` with the bundle.
    """
    return _device_of(user_agent[:LENGTH]) if user_agent else Device()


def _mobile_app(user_agent: str) -> Device:
    """`RC Mobile; iOS 12.2; v3.4.0 (250)`: system, then version and bundle."""
    fields = [field.strip() for field in user_agent.split(";")]
    system, release = ([*fields[1].rsplit(maxsplit=1), "", ""])[:2]
    version = fields[2] if len(fields) > 2 else ""
    return Device(
        type="mobile-app",
        name="RC Mobile",
        version=" ".join(version.removeprefix("v").replace("(", " ").replace(")", " ").split()),
        os_name=system,
        os_version=release,
    )


def _kind(user_agent: str, system: str, family: str) -> str:
    """Android tablets are told from telephones by the missing word Mobile, as its makers ask."""
    if family == "iPad" or "Tablet" in user_agent or "Kindle" in family:
        return "tablet"
    if system == "Android":
        return "mobile" if "Mobile" in user_agent else "tablet"
    return "mobile" if system in ("iOS", "Windows Phone", "KaiOS") else "browser"


def _version(*parts: str | None) -> str:
    known = []
    for part in parts:
        if part is None:
            break
        known.append(part)
    return ".".join(known)
