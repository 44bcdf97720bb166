"""Global Token Revocation: who is named, with what credential, and what the answers mean."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from lastcall.connectors.global_token_revocation import GlobalTokenRevocation
from lastcall.domain.delivery import Outcome
from lastcall.egress import HttpEgress
from lastcall.outward import Target
from tests.connectors.making import notice, target
from tests.connectors.receivers import Application, Seen, answers, receiver
from tests.contract.connector import ConnectorContract
from tests.contract.signer import decoded
from tests.fakes import EPOCH, FakeSigner


class TestContract(ConnectorContract):
    name = "global-token-revocation"

    def settings(self, url: str) -> Mapping[str, str]:
        return {"url": f"{url}/revoke"}

    def secrets(self) -> Mapping[str, str]:
        return {"token": "secret-of-the-client"}


def whom(url: str, secrets: Mapping[str, str] | None = None, /, **settings: str) -> Target:
    given = {"token": "t0ken"} if secrets is None else secrets
    return target("global-token-revocation", {"url": url, **settings}, given)


def sub_id(seen: Seen) -> Mapping[str, Any]:
    body: dict[str, Any] = json.loads(seen.body)
    assert list(body) == ["sub_id"]
    return dict(body["sub_id"])


@pytest.fixture
def connector(egress: HttpEgress, signer: FakeSigner) -> GlobalTokenRevocation:
    return GlobalTokenRevocation(egress, signer)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, {"format": "iss_sub", "iss": "https://lastcall.example", "sub": "john"}),
        (
            {"format": "iss_sub", "issuer": "https://idp.example"},
            {"format": "iss_sub", "iss": "https://idp.example", "sub": "john"},
        ),
        ({"format": "email"}, {"format": "email", "email": "john@domain.com"}),
        ({"format": "opaque"}, {"format": "opaque", "id": "john"}),
    ],
)
async def test_gtr_2_the_user_is_named_as_set(
    connector: GlobalTokenRevocation, settings: Mapping[str, str], expected: Mapping[str, str]
) -> None:
    async with receiver(answers(204)) as there:
        await connector.tell(whom(there.url("/gtr"), **settings), notice())
    (seen,) = there.seen
    assert (seen.method, seen.target) == ("POST", "/gtr")
    assert seen.headers["content-type"] == "application/json"
    assert sub_id(seen) == expected


async def test_gtr_2_nobody_to_name(connector: GlobalTokenRevocation) -> None:
    async with receiver(answers(204)) as there:
        told = await connector.tell(whom(there.url(), format="email"), notice(email=""))
        assert (told.outcome, told.error) == (Outcome.REFUSED, "nobody to name")
        told = await connector.tell(whom(there.url()), notice(account=""))
        assert told.outcome is Outcome.REFUSED
    assert there.seen == []


async def test_gtr_3_the_credential_of_the_target(connector: GlobalTokenRevocation) -> None:
    async with receiver(answers(204)) as there:
        await connector.tell(whom(there.url()), notice())
    assert there.seen[0].headers["authorization"] == "Bearer t0ken"


async def test_gtr_3_or_a_signed_one(connector: GlobalTokenRevocation) -> None:
    async with receiver(answers(204)) as there:
        await connector.tell(whom(there.url("/gtr"), {}, alg="ES256"), notice())
        await connector.tell(whom(there.url("/gtr"), {}, audience="them"), notice())
    tokens = [seen.headers["authorization"].removeprefix("Bearer ") for seen in there.seen]
    header, claims = (decoded(part) for part in tokens[0].split(".")[:2])
    assert header == {"typ": "JWT", "alg": "ES256", "kid": "fake-ES256"}
    assert claims == {
        "iss": "https://lastcall.example",
        "sub": "https://lastcall.example",
        "aud": there.url("/gtr"),
        "iat": EPOCH // 1000,
        "exp": EPOCH // 1000 + 60,
        "jti": "jti-1",
    }
    assert decoded(tokens[1].split(".")[1])["aud"] == "them"


@pytest.mark.parametrize(
    ("status", "outcome", "error"),
    [
        (204, Outcome.DONE, ""),
        (200, Outcome.DONE, ""),
        (202, Outcome.DONE, ""),
        (302, Outcome.REFUSED, "status 302"),
        (400, Outcome.REFUSED, "status 400"),
        (401, Outcome.REFUSED, "status 401"),
        (403, Outcome.REFUSED, "status 403"),
        (404, Outcome.DONE, "user unknown there"),
        (422, Outcome.REFUSED, "status 422"),
        (429, Outcome.RETRY, "status 429"),
        (500, Outcome.RETRY, "status 500"),
    ],
)
async def test_gtr_5_what_an_answer_means(
    connector: GlobalTokenRevocation, status: int, outcome: Outcome, error: str
) -> None:
    async with receiver(answers(status)) as there:
        told = await connector.tell(whom(there.url()), notice())
    assert (told.outcome, told.status, told.error) == (outcome, status, error)


async def test_gtr_5_a_404_may_be_a_refusal(connector: GlobalTokenRevocation) -> None:
    async with receiver(answers(404)) as there:
        told = await connector.tell(whom(there.url(), unknown_user="refused"), notice())
    assert (told.outcome, told.error) == (Outcome.REFUSED, "status 404")


def test_words_outside_the_lists_are_named(connector: GlobalTokenRevocation) -> None:
    odd = whom("https://rp.example/", format="phone", alg="none", unknown_user="maybe")
    problems = connector.problems(odd)
    assert [one.partition(":")[0] for one in problems] == ["format", "alg", "unknown_user"]


async def test_a_credential_cannot_carry_a_header(connector: GlobalTokenRevocation) -> None:
    evil = {"token": "x\r\nX-Evil: 1"}
    assert connector.problems(whom("https://rp.example/", evil))
    async with receiver(answers(204)) as there:
        told = await connector.tell(whom(there.url(), evil), notice())
    assert told.outcome is Outcome.RETRY
    assert there.seen == []


async def test_a_test_ends_nothing(connector: GlobalTokenRevocation) -> None:
    shop = Application(lambda seen: str(sub_id(seen)["sub"]), alive={"john"})
    async with receiver(shop) as there:
        told = await connector.test(whom(there.url()), notice(jti="unguessable"))
    assert told.outcome is Outcome.DONE
    assert shop.alive == {"john"}
    assert sub_id(there.seen[0])["sub"] == "lastcall-test-unguessable"
