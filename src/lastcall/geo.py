"""Countries of addresses, from a MaxMind DB file read once."""

import tempfile
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from pathlib import Path

import maxminddb

CountryOf = Callable[[str], str]


class GeoFileUnreadable(Exception):
    """The text says which file, and what is wrong with it."""


def open_countries(path: Path) -> CountryOf:
    """The ISO 3166 code of the country an address is in, empty when that is not known.

    The file is copied before it is mapped: what is written over it later neither shows nor, as a
    mapped file that gets shorter would, ends the process. Raises `GeoFileUnreadable`.
    """
    try:
        with tempfile.NamedTemporaryFile(prefix="lastcall-geoip-") as copy:
            copy.write(path.read_bytes())
            copy.flush()
            reader = maxminddb.open_database(copy.name)
    except OSError as error:
        why = (error.strerror or "no reason").lower()
        raise GeoFileUnreadable(f"the GeoIP file {path} cannot be read: {why}") from error
    except (maxminddb.InvalidDatabaseError, ValueError) as error:
        raise GeoFileUnreadable(f"{path} is not a GeoIP file in the MaxMind DB format") from error

    def country_of(address: str) -> str:
        try:
            place = ip_address(address)
            mapped = place.ipv4_mapped if isinstance(place, IPv6Address) else None
            found = reader.get(mapped or place)
        except (maxminddb.InvalidDatabaseError, ValueError):
            return ""
        country = found.get("country") if isinstance(found, dict) else None
        code = country.get("iso_code") if isinstance(country, dict) else None
        return code if isinstance(code, str) else ""

    return country_of
