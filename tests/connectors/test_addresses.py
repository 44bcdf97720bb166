"""Where requests may go: URLs as written, and addresses as resolved."""

from ipaddress import ip_address

import pytest

from lastcall.addresses import Forbidden, allowed, place

NEVER = [
    "0.0.0.0",
    "0.1.2.3",
    "169.254.169.254",
    "169.254.1.1",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "192.0.2.1",
    "198.18.0.1",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::808:808",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "3fff::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
]
INSIDE = [
    "10.0.0.1",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "::1",
    "fc00::1",
    "fd12:3456::1",
]
PUBLIC = ["8.8.8.8", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1", "2606:4700::1"]

WRITTEN = [
    "",
    "/logout",
    "//rp.example/logout",
    "rp.example/logout",
    "javascript:alert(1)",
    "file:///etc/passwd",
    "FILE:///etc/passwd",
    "gopher://rp.example/",
    "unix:/var/run/docker.sock",
    "http+unix://%2Fvar%2Frun/",
    "ws://rp.example/",
    "https:rp.example",
    "https:/rp.example",
    "https:///logout",
    "https://",
    "https://:443/",
    "https://rp.example:/",
    "https://rp.example:0/",
    "https://rp.example:65536/",
    "https://rp.example:-1/",
    "https://rp.example:+443/",
    "https://rp.example:4 43/",
    "https://rp.example#fragment",
    "https://rp.example/#",
    "https://user@rp.example/",
    "https://user:secret@rp.example/",
    "https://@rp.example/",
    "https://127.0.0.1\\@rp.example/",
    "https://rp.example\\.evil.example/",
    "https://rp.example /",
    " https://rp.example/",
    "https://rp.example/\n",
    "https://rp.example/\tx",
    "https://rp.example/\x00",
    "https://rp.example/\u00fc",
    "https://\u0440\u0440.example/",
    "https://\uff11\uff12\uff17.0.0.1/",
    "https://\u2460\u2461\u2466.0.0.1/",
    "https://rp.example%2f.evil.example/",
    "https://rp..example/",
    "https://.rp.example/",
    "https://rp.example./",
    "https://localhost./",
    "https://-rp.example/",
    "https://rp.example:22/",
    "https://rp.example:25/",
    "https://rp.example:6379/",
    "https://rp.example:5432/",
    "https://rp.example:11211/",
    "https://2130706433/",
    "https://017700000001/",
    "https://0x7f000001/",
    "https://0x7f.1/",
    "https://0x7f.0.0.0x1/",
    "https://0177.0.0.1/",
    "https://127.1/",
    "https://127.0.1/",
    "https://127.0.0.01/",
    "https://1.2.3.4.5/",
    "https://256.1.1.1/",
    "https://rp.0/",
    "https://rp.0x/",
    "https://[::1/",
    "https://::1/",
    "https://[fe80::1%25eth0]/",
    "https://[v1.x]/",
    "https://[]/",
    "https://rp.example/" + "x" * 2_048,
]


@pytest.mark.parametrize("address", NEVER)
def test_no_client_may_go_there(address: str) -> None:
    assert not allowed(ip_address(address))
    assert not allowed(ip_address(address), private=True)


@pytest.mark.parametrize("address", INSIDE)
def test_only_private_clients_may_go_there(address: str) -> None:
    assert not allowed(ip_address(address))
    assert allowed(ip_address(address), private=True)


@pytest.mark.parametrize("address", PUBLIC)
def test_everybody_may_go_there(address: str) -> None:
    assert allowed(ip_address(address))


@pytest.mark.parametrize("address", [*NEVER, *INSIDE])
def test_an_address_as_a_host_is_judged_as_one(address: str) -> None:
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(Forbidden):
        place(f"https://{host}/")


@pytest.mark.parametrize("url", WRITTEN)
@pytest.mark.parametrize("private", [False, True])
def test_no_url_that_can_be_read_in_two_ways(url: str, private: bool) -> None:
    with pytest.raises(Forbidden):
        place(url, private=private)


def test_http_is_for_private_clients() -> None:
    for url in ("http://rp.example/", "HTTP://rp.example/", "hTtP://rp.example/"):
        with pytest.raises(Forbidden, match="private"):
            place(url)
        assert place(url, private=True).scheme == "http"


def test_what_a_url_says_is_kept_as_it_is() -> None:
    where = place("HTTPS://RP.Example:8443/a//b/../c%2Fd;x?q=1&r=%20+")
    assert (where.scheme, where.host, where.port) == ("https", "rp.example", 8443)
    assert (where.path, where.query) == ("/a//b/../c%2Fd;x", "q=1&r=%20+")


def test_ports_and_paths_by_default() -> None:
    assert (place("https://rp.example").port, place("https://rp.example").path) == (443, "/")
    assert place("http://rp.example", private=True).port == 80
    assert place("https://xn--bcher-kva.example/").host == "xn--bcher-kva.example"
    assert place("https://[2606:4700::1]/").host == "2606:4700::1"


def test_the_reason_never_repeats_the_url() -> None:
    with pytest.raises(Forbidden) as caught:
        place("https://user:secret@rp.example/")
    assert "secret" not in str(caught.value)
