"""Countries of addresses: what a GeoIP file knows, and what is no such file."""

from pathlib import Path

import pytest

from lastcall.geo import GeoFileUnreadable, open_countries
from tests.geoip import mmdb

FILE = {
    "192.0.2.0/24": {"country": {"iso_code": "NL", "names": {"en": "The Netherlands"}}},
    "198.51.100.7/32": {"country": {"iso_code": "BE"}},
    "203.0.113.0/24": {"registered_country": {"iso_code": "DE"}},
    "203.0.114.0/24": "a text",
    "203.0.115.0/24": {"country": "FR"},
    "203.0.116.0/24": {"country": {"iso_code": (5, 7)}},
    "2001:db8::/32": {"country": {"iso_code": "LU"}},
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "countries.mmdb"
    file.write_bytes(mmdb(FILE))
    return file


@pytest.mark.parametrize(
    ("address", "country"),
    [
        ("192.0.2.0", "NL"),
        ("192.0.2.255", "NL"),
        ("192.0.3.0", ""),
        ("198.51.100.7", "BE"),
        ("198.51.100.6", ""),
        ("2001:db8::1", "LU"),
        ("2001:db9::1", ""),
        ("::ffff:192.0.2.9", "NL"),
        ("203.0.113.5", ""),
        ("203.0.114.5", ""),
        ("203.0.115.5", ""),
        ("203.0.116.5", ""),
        ("", ""),
        ("unknown", ""),
        ("192.0.2.1:443", ""),
        ("\ud800", ""),
    ],
)
def test_countries(path: Path, address: str, country: str) -> None:
    assert open_countries(path)(address) == country


def test_the_file_is_read_once(path: Path) -> None:
    country_of = open_countries(path)
    with path.open("r+b") as file:  # shorter, in its place
        file.truncate(10)
    assert country_of("198.51.100.7") == "BE"
    path.unlink()
    assert country_of("192.0.2.1") == "NL"


@pytest.mark.parametrize("content", [b"", b"no such thing", mmdb(FILE)[:-40], mmdb(FILE)[:60]])
def test_what_is_no_such_file(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "broken.mmdb"
    file.write_bytes(content)
    with pytest.raises(GeoFileUnreadable, match="MaxMind DB"):
        open_countries(file)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(GeoFileUnreadable, match="no such file"):
        open_countries(tmp_path / "none.mmdb")
    with pytest.raises(GeoFileUnreadable, match="is a directory"):
        open_countries(tmp_path)
