"""Tokens, what is derived from them, and how secrets are compared."""

import hashlib
from base64 import b32encode

from hypothesis import given
from hypothesis import strategies as st

from lastcall.domain.token import ID_BYTES, derive, digest_password, hash_token, id_text, same

anything = st.text(st.characters(codec=None), max_size=40)


@given(anything, anything)
def test_only_the_same_text_is_the_same(left: str, right: str) -> None:
    assert same(left, right) == (left == right)
    assert (hash_token(left) == hash_token(right)) == (left == right)


def test_a_token_is_kept_as_its_sha256() -> None:
    assert hash_token("abc") == hashlib.sha256(b"abc").digest()
    assert digest_password("abc") == hashlib.sha256(b"abc").hexdigest()


def test_a_derived_secret_belongs_to_one_token_and_one_purpose() -> None:
    assert len(derive("token", "csrf")) == 22
    assert derive("token", "csrf") == derive("token", "csrf")
    assert derive("token", "csrf") != derive("token", "other")
    assert derive("token", "csrf") != derive("tokem", "csrf")


@given(st.binary(min_size=ID_BYTES, max_size=ID_BYTES))
def test_an_id_is_base32_in_small_letters(random: bytes) -> None:
    assert id_text(random) == b32encode(random).decode("ascii").lower()
