"""Who the client is, whoever else says so."""

from typing import Any

import pytest

from lastcall.http.client import Client, Proxies, client_of, host_name, plain, valid_host

PROXIES = Proxies(["10.0.0.0/8", "fd00::/8", "192.0.2.1"])
PROXY = Client(address="10.0.0.1", port=50_000, host="inside.example", scheme="http")
STRANGER = Client(address="203.0.113.9", port=50_000, host="inside.example", scheme="http")


def seen(peer: Client, **headers: str | tuple[str, ...]) -> Client:
    given: dict[str, tuple[str, ...]] = {
        name.replace("_", "-"): value if isinstance(value, tuple) else (value,)
        for name, value in headers.items()
    }
    return client_of(peer, given, PROXIES)


SPOOFS: list[dict[str, Any]] = [
    {"x_forwarded_for": "198.51.100.1"},
    {"forwarded": "for=198.51.100.1;host=evil.example;proto=https"},
    {"x_real_ip": "198.51.100.1"},
    {"x_forwarded_host": "evil.example", "x_forwarded_proto": "https"},
]


@pytest.mark.parametrize("headers", SPOOFS)
def test_a_stranger_is_not_believed(headers: dict[str, str]) -> None:
    assert seen(STRANGER, **headers) == STRANGER


@pytest.mark.parametrize("headers", SPOOFS)
def test_nobody_is_believed_where_no_proxy_is_trusted(headers: dict[str, str]) -> None:
    given = {name.replace("_", "-"): (value,) for name, value in headers.items()}
    assert client_of(PROXY, given, Proxies([])) == PROXY


@pytest.mark.parametrize(
    ("headers", "address", "port"),
    [
        ({"x_forwarded_for": "198.51.100.1"}, "198.51.100.1", 0),
        ({"x_forwarded_for": "198.51.100.1:4711"}, "198.51.100.1", 4711),
        ({"x_forwarded_for": "6.6.6.6, 198.51.100.1"}, "198.51.100.1", 0),
        ({"x_forwarded_for": ("6.6.6.6", "198.51.100.1")}, "198.51.100.1", 0),
        ({"x_forwarded_for": "6.6.6.6, 198.51.100.1, 10.2.3.4"}, "198.51.100.1", 0),
        ({"x_forwarded_for": "10.9.9.9, 10.2.3.4"}, "10.9.9.9", 0),
        ({"x_forwarded_for": "2001:db8::1"}, "2001:db8::1", 0),
        ({"x_forwarded_for": "[2001:db8::1]:4711"}, "2001:db8::1", 4711),
        ({"x_forwarded_for": "::ffff:198.51.100.1"}, "198.51.100.1", 0),
        ({"x_real_ip": "198.51.100.1"}, "198.51.100.1", 0),
        ({"forwarded": "for=198.51.100.1"}, "198.51.100.1", 0),
        ({"forwarded": 'For="[2001:db8::1]:4711"; proto=https'}, "2001:db8::1", 4711),
        ({"forwarded": "for=6.6.6.6, for=198.51.100.1;by=10.0.0.1"}, "198.51.100.1", 0),
        ({"x_real_ip": "198.51.100.1", "x_forwarded_for": "198.51.100.1"}, "198.51.100.1", 0),
    ],
)
def test_the_rightmost_address_that_is_no_proxy(
    headers: dict[str, Any], address: str, port: int
) -> None:
    client = seen(PROXY, **headers)
    assert (client.address, client.port) == (address, port)


@pytest.mark.parametrize(
    "headers",
    [
        {"x_forwarded_for": "198.51.100.1, not an address"},
        {"x_forwarded_for": "198.51.100.1:port"},
        {"x_forwarded_for": "198.51.100.1,"},
        {"forwarded": "for=_hidden"},
        {"forwarded": "for=unknown"},
        {"forwarded": "nonsense"},
        {"x_forwarded_for": "198.51.100.1", "forwarded": "for=6.6.6.6"},
        {"x_forwarded_for": "198.51.100.1", "x_real_ip": "6.6.6.6"},
    ],
)
def test_what_cannot_be_read_or_contradicts_itself_names_nobody(headers: dict[str, Any]) -> None:
    assert seen(PROXY, **headers, x_forwarded_host="evil.example") == PROXY


def test_host_and_scheme_come_from_the_nearest_proxy() -> None:
    client = seen(PROXY, x_forwarded_host="evil.example, a.example", x_forwarded_proto="http,https")
    assert (client.host, client.scheme, client.address) == ("a.example", "https", "10.0.0.1")
    client = seen(PROXY, forwarded='for=1.2.3.4;host="a.example:444";proto=HTTPS')
    assert (client.host, client.scheme) == ("a.example:444", "https")


@pytest.mark.parametrize("host", ["a b", "a/b", "a@b", "", "a\x00", "[::1", "a:99999", "a:b"])
def test_a_host_that_is_none_is_not_taken(host: str) -> None:
    assert not valid_host(host)
    assert seen(PROXY, x_forwarded_host=host, x_forwarded_proto="javascript") == PROXY


@pytest.mark.parametrize(
    ("authority", "name"),
    [
        ("Login.Example:8700", "login.example"),
        ("login.example.", "login.example"),
        ("[::1]:8700", "[::1]"),
        ("127.0.0.1", "127.0.0.1"),
        ("nonsense/", ""),
    ],
)
def test_a_host_has_one_name(authority: str, name: str) -> None:
    assert host_name(authority) == name


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("testclient", "testclient"),
    ],
)
def test_an_address_has_one_spelling(address: str, shown: str) -> None:
    assert plain(address) == shown
