"""What is read as an address at all."""

import pytest

from lastcall.dialects.elvis.targets import LONGEST, read_target


@pytest.mark.parametrize(
    "value",
    [
        # A later reader of the path could take these for another host.
        "//evil.test",
        "/a//b",
        "/%2F/evil.test",
        "/%2f%2fevil.test",
        "/a/..//evil.test",
        "/%5Cevil.test",
        # Encoded or not, nothing that ends a line or is not there to be seen.
        "/a%0d%0ab",
        "/a?b=%00",
        "/a#%7f",
        "https://www.example.com/%0Aa",
        "https://www.example.com/?a=%0d",
        "https://www.example.com?\n",
        "/a\n",
        # Numbers that are addresses without looking like it.
        "http://2130706433",
        "http://0x7f.0.0.1",
        "http://127.1",
        "http://127.0.0.01",
        "http://[::1",
        "http://[1.2.3.4]",
        "http://[::1%25eth0]",
        "http://www.example.com:0",
        "http://www.example.com:65536",
        "http://www.example.com:",
        "http://a..b",
        f"http://{'a' * 64}.b",
        "http://" + ".".join(["a" * 60] * 5),
        "/" + "a" * LONGEST,
    ],
)
def test_what_leaves_a_doubt_is_no_target(value: str) -> None:
    assert read_target(value) is None


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("/" + "a" * (LONGEST - 1), "/" + "a" * (LONGEST - 1)),
        ("http://127.0.0.1/", "http://127.0.0.1/"),
        ("http://WWW.example.com:65535", "http://www.example.com:65535"),
        ("http://www.example.com:0080/", "http://www.example.com/"),
        ("https://[0:0::1]:443?a", "https://[::1]?a"),
        ("https://www.example.com//a//b", "https://www.example.com//a//b"),
        (f"http://{'a' * 63}.b", f"http://{'a' * 63}.b"),
        ("/a%2Fb", "/a%2Fb"),
    ],
)
def test_what_is_beyond_doubt_has_one_spelling(value: str, read: str) -> None:
    assert str(read_target(value)) == read
