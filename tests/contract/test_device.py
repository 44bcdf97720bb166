"""User agents, as the device lists show them."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastcall.authenticators.device import device_of
from lastcall.domain.session import Device

MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_14_1) AppleWebKit/537.36 (KHTML, like Gecko)"


def device(type: str, name: str, version: str, os_name: str, os_version: str) -> Device:
    return Device(type=type, name=name, version=version, os_name=os_name, os_version=os_version)


@pytest.mark.parametrize(
    ("agent", "expected"),
    [
        (
            "RC Mobile; iOS 12.2; v3.4.0 (250)",
            device("mobile-app", "RC Mobile", "3.4.0 250", "iOS", "12.2"),
        ),
        ("RC Mobile; Android 13; v4.2", device("mobile-app", "RC Mobile", "4.2", "Android", "13")),
        ("RC Mobile;", device("mobile-app", "RC Mobile", "", "", "")),
        (
            f"{MAC} Rocket.Chat/2.15.2 Chrome/69.0.3497.128 Electron/4.1.4 Safari/537.36",
            device("desktop-app", "Rocket.Chat", "2.15.2", "Mac OS", "10.14.1"),
        ),
        (
            f"{MAC} Chrome/69.0.3497.128 Electron/4.1.4 Safari/537.36",
            device("desktop-app", "Electron", "4.1.4", "Mac OS", "10.14.1"),
        ),
        (
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
                "Chrome/113.0.0.0 Safari/537.36"
            ),
            device("browser", "Chrome", "113.0.0.0", "Windows", "10"),
        ),
        (
            "Mozilla/5.0 (X11; Linux x86_64; rv:112.0) Gecko/20100101 Firefox/112.0",
            device("browser", "Firefox", "112.0", "Linux", ""),
        ),
        (
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 16_5 like Mac OS X) AppleWebKit/605.1.15 "
                "(KHTML, like Gecko) Version/16.5 Mobile/15E148 Safari/604.1"
            ),
            device("mobile", "Mobile Safari", "16.5", "iOS", "16.5"),
        ),
        (
            (
                "Mozilla/5.0 (iPad; CPU OS 16_5 like Mac OS X) AppleWebKit/605.1.15 "
                "(KHTML, like Gecko) Version/16.5 Mobile/15E148 Safari/604.1"
            ),
            device("tablet", "Mobile Safari", "16.5", "iOS", "16.5"),
        ),
        (
            (
                "Mozilla/5.0 (Linux; Android 13; Pixel 7) AppleWebKit/537.36 (KHTML, like Gecko) "
                "Chrome/112.0.0.0 Mobile Safari/537.36"
            ),
            device("mobile", "Chrome Mobile", "112.0.0.0", "Android", "13"),
        ),
        (
            (
                "Mozilla/5.0 (Linux; Android 12; SM-X906C) AppleWebKit/537.36 (KHTML, like Gecko) "
                "Chrome/80.0.3987.119 Safari/537.36"
            ),
            device("tablet", "Chrome", "80.0.3987.119", "Android", "12"),
        ),
        ("", Device()),
    ],
)
def test_devices(agent: str, expected: Device) -> None:
    assert device_of(agent) == expected


@pytest.mark.parametrize(
    "agent",
    [
        "curl/8.5.0",
        "python-requests/2.31",
        "axios/1.6",
        "node",
        "Mozilla/5.0",
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        "\0\x1b[31m",
        " ",
    ],
)
def test_what_is_neither_browser_nor_app_is_other(agent: str) -> None:
    assert device_of(agent) == Device(type="other")


@given(st.text(max_size=200), st.sampled_from(["", "RC Mobile;", "Mozilla/5.0 (", "Opera/"]))
def test_no_agent_is_too_odd(agent: str, start: str) -> None:
    device_of(start + agent)


@pytest.mark.parametrize("filler", [" ", ";", "(", "1.", "Mozilla/", "RC Mobile; "])
def test_length_is_no_weapon(filler: str) -> None:
    start = time.process_time()
    for prefix in ("", "RC Mobile;", "Mozilla/5.0 (Linux; Android 4;"):
        device_of(prefix + filler * 100_000)
    assert time.process_time() - start < 20, "were it quadratic, it would be hours"
