"""The section refuses what could lead people astray before anything starts."""

import pytest

from lastcall.dialects.elvis.settings import Settings


@pytest.mark.parametrize(
    "page",
    [
        "/logout",
        "/logout/",
        "/LOGOUT;x",
        "logout?x",
        "//evil.test",
        "javascript:alert(1)",
        "",
        "/a b",
    ],
)
def test_a_landing_page_that_leads_nowhere_is_refused(page: str) -> None:
    with pytest.raises(ValueError, match="landing_page"):
        Settings(landing_page=page)


@pytest.mark.parametrize(
    "origin",
    ["", "*", "www.example.com", "https://www.example.com/", "https://a@b", "ftp://x", "/app"],
)
def test_a_redirect_host_is_an_origin(origin: str) -> None:
    with pytest.raises(ValueError, match="redirect_hosts"):
        Settings(redirect_hosts=(origin,))


def test_spelling_of_origins_does_not_matter() -> None:
    settings = Settings(redirect_hosts=("HTTPS://WWW.Example.com:443", "http://[::0:1]:8080"))
    assert settings.redirect_origins == {"https://www.example.com", "http://[::1]:8080"}


def test_the_longest_life_is_told() -> None:
    assert Settings().longest_life == 43_200_000
    assert Settings(lifetime_seconds=60, apilogin_seconds=120).longest_life == 120_000
