"""What every signer must do; the real one and the fake subclass this."""

import json
from abc import ABC, abstractmethod
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from typing import Any

import pytest

from lastcall.outward import Signer

ALGORITHMS = ("RS256", "ES256", "EdDSA")
CLAIMS = {"iss": "https://a", "iat": 1_460_024_840, "events": {"e": {}}, "name": 'J\u00f6 "x"'}


def decoded(part: str) -> Any:
    return json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def published(signer: Signer) -> Mapping[str, Mapping[str, Any]]:
    """The published keys by `kid`."""
    keys: Any = signer.jwks()["keys"]
    return {key["kid"]: key for key in keys}


class SignerContract(ABC):
    @abstractmethod
    @pytest.fixture
    def signer(self) -> Signer: ...

    @pytest.mark.parametrize("alg", ALGORITHMS)
    async def test_a_token_says_what_it_is_and_by_which_key(self, signer: Signer, alg: str) -> None:
        token = await signer.sign(CLAIMS, typ="logout+jwt", alg=alg)
        header, payload, signature = token.split(".")
        kid = decoded(header)["kid"]
        assert decoded(header) == {"typ": "logout+jwt", "alg": alg, "kid": kid}
        assert decoded(payload) == CLAIMS
        assert signature
        assert published(signer)[kid]["alg"] == alg

    @pytest.mark.parametrize("alg", ["none", "HS256", "RS512", "", "rs256"])
    async def test_no_other_algorithm(self, signer: Signer, alg: str) -> None:
        with pytest.raises(ValueError, match="no key"):
            await signer.sign(CLAIMS, typ="JWT", alg=alg)

    def test_nothing_private_is_published(self, signer: Signer) -> None:
        keys = published(signer).values()
        assert {key["alg"] for key in keys} == set(ALGORITHMS)
        assert all(key["use"] == "sig" for key in keys)
        for key in keys:
            assert not set(key) & {"d", "p", "q", "dp", "dq", "qi", "k", "oth"}
