"""OpenID Connect Back-Channel Logout 1.0, errata set 1; the tests are named for its clauses."""

from collections.abc import Mapping
from typing import Any

import pytest

from lastcall.connectors.backchannel import EVENT, Backchannel
from lastcall.domain.client import Naming
from lastcall.domain.delivery import Outcome
from lastcall.egress import HttpEgress
from lastcall.outward import NoAnswer, Target
from tests.connectors.making import TIMEOUT, notice, target
from tests.connectors.receivers import (
    Application,
    Seen,
    answers,
    loses_the_answer,
    receiver,
)
from tests.connectors.vendors.script import Script, said
from tests.contract.connector import ConnectorContract
from tests.contract.signer import decoded
from tests.fakes import EPOCH, FakeSigner

Tokens = tuple[Mapping[str, Any], Mapping[str, Any]]


class TestContract(ConnectorContract):
    name = "backchannel"

    def settings(self, url: str) -> Mapping[str, str]:
        return {"uri": f"{url}/backchannel", "client_id": "shop-1"}


def whom(url: str, **more: Any) -> Target:
    extra = more.pop("settings", {})
    return target("backchannel", {"uri": url, "client_id": "shop-1", **extra}, **more)


def token(seen: Seen) -> Tokens:
    (text,) = seen.form()["logout_token"]
    header, claims, _ = text.split(".")
    return decoded(header), decoded(claims)


def named(seen: Seen) -> str:
    claims = token(seen)[1]
    return str(claims.get("sid") or claims["sub"])


@pytest.fixture
def connector(egress: HttpEgress, signer: FakeSigner) -> Backchannel:
    return Backchannel(egress, signer)


async def test_bcl_4_5_7_8_claims(connector: Backchannel) -> None:
    async with receiver(answers(200)) as there:
        await connector.tell(whom(there.url("/bcl")), notice())
    header, claims = token(there.seen[0])
    assert header == {"typ": "logout+jwt", "alg": "RS256", "kid": "fake-RS256"}
    assert claims == {
        "iss": "https://lastcall.example",
        "aud": "shop-1",
        "iat": EPOCH // 1000,
        "exp": EPOCH // 1000 + 120,
        "jti": "jti-1",
        "events": {EVENT: {}},
        "sid": "sid-1",
    }


@pytest.mark.parametrize(
    ("naming", "sid", "expected"),
    [
        (Naming.SID, "sid-1", {"sid": "sid-1"}),
        (Naming.SUB, "", {"sub": "john"}),
        (Naming.SUB, "sid-1", {"sub": "john"}),
        (Naming.BOTH, "sid-1", {"sid": "sid-1", "sub": "john"}),
        (Naming.SID, "", {"sub": "john"}),
        (Naming.BOTH, "", {"sub": "john"}),
    ],
)
async def test_bcl_4_one_session_or_all_of_the_account(
    connector: Backchannel, naming: Naming, sid: str, expected: Mapping[str, str]
) -> None:
    async with receiver(answers(200)) as there:
        await connector.tell(whom(there.url("/bcl"), naming=naming), notice(sid=sid))
    claims = token(there.seen[0])[1]
    assert {name: claims[name] for name in ("sid", "sub") if name in claims} == expected


async def test_bcl_4_nobody_to_name(connector: Backchannel) -> None:
    async with receiver(answers(200)) as there:
        told = await connector.tell(whom(there.url("/bcl")), notice(sid="", account=""))
    assert (told.outcome, told.error, there.seen) == (Outcome.REFUSED, "nobody to name", [])


@pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA"])
async def test_bcl_6_signed_as_the_client_registered(connector: Backchannel, alg: str) -> None:
    async with receiver(answers(200)) as there:
        await connector.tell(whom(there.url("/bcl"), settings={"alg": alg}), notice())
    assert token(there.seen[0])[0]["alg"] == alg


@pytest.mark.parametrize("alg", ["none", "HS256", "es256", ""])
def test_bcl_6_and_in_no_other_way(connector: Backchannel, alg: str) -> None:
    (problem,) = connector.problems(whom("http://127.0.0.1:8080/", settings={"alg": alg}))
    assert problem == "alg: is not one of RS256, ES256, EdDSA"


async def test_bcl_10_a_form_with_the_token_and_nothing_else(connector: Backchannel) -> None:
    async with receiver(answers(200)) as there:
        await connector.tell(whom(there.url("/bcl?tenant=7&x=%2F")), notice())
    (seen,) = there.seen
    assert (seen.method, seen.target) == ("POST", "/bcl?tenant=7&x=%2F")
    assert seen.headers["content-type"] == "application/x-www-form-urlencoded"
    assert list(seen.form()) == ["logout_token"]
    assert not {"authorization", "cookie"} & set(seen.headers)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, Outcome.DONE),
        (204, Outcome.DONE),
        (202, Outcome.DONE),
        (301, Outcome.REFUSED),
        (302, Outcome.REFUSED),
        (307, Outcome.REFUSED),
        (400, Outcome.REFUSED),
        (401, Outcome.REFUSED),
        (404, Outcome.REFUSED),
        (501, Outcome.RETRY),
        (408, Outcome.RETRY),
        (425, Outcome.RETRY),
        (429, Outcome.RETRY),
        (500, Outcome.RETRY),
        (503, Outcome.RETRY),
        (999, Outcome.REFUSED),
    ],
)
async def test_bcl_11_14_what_an_answer_means(
    connector: Backchannel, status: int, outcome: Outcome
) -> None:
    async with receiver(answers(status)) as there:
        told = await connector.tell(whom(there.url("/bcl")), notice())
    assert (told.outcome, told.status, told.dead) == (outcome, status, None)
    assert len(there.seen) == 1


async def test_bcl_14_a_repeat_is_a_new_token(connector: Backchannel) -> None:
    async with receiver(answers(500, 200)) as there:
        for number in (1, 2):
            later = notice(number=number, jti=f"jti-{number}", now=EPOCH + number * 5_000)
            await connector.tell(whom(there.url("/bcl")), later)
    first, second = (token(seen)[1] for seen in there.seen)
    assert (first["jti"], second["jti"]) == ("jti-1", "jti-2")
    assert second["iat"] - first["iat"] == second["exp"] - first["exp"] == 5


async def test_bcl_2_no_fragment_and_no_plain_http(connector: Backchannel) -> None:
    for url in ("https://rp.example/bcl#x", "http://rp.example/bcl", "/bcl"):
        assert connector.problems(whom(url, private=False))
    assert not connector.problems(whom("https://rp.example/bcl?x=1", private=False))


async def test_bcl_p2_a_probe_proves_it(connector: Backchannel) -> None:
    shop = Application(named, alive={"sid-1", "sid-2"})
    async with receiver(shop) as there:
        probe = {"probe_url": there.url("/sessions/{sid}")}
        told = await connector.tell(whom(there.url("/bcl"), settings=probe), notice())
    assert (told.outcome, told.dead) == (Outcome.DONE, True)
    assert shop.alive == {"sid-2"}
    assert [seen.method for seen in there.seen] == ["POST", "GET"]


@pytest.mark.parametrize("status", [200, 202, 204])
async def test_123_a_liar_is_found_out(connector: Backchannel, status: int) -> None:
    shop = Application(named, honest=False, status=status, alive={"sid-1"})
    async with receiver(shop) as there:
        probe = {"probe_url": there.url("/sessions/{sid}")}
        told = await connector.tell(whom(there.url("/bcl"), settings=probe), notice())
    assert (told.outcome, told.dead, told.error) == (Outcome.DONE, False, "still alive")


async def test_a_probe_tells_what_a_refused_repeat_does_not(connector: Backchannel) -> None:
    """The answer to the first try was lost; the second finds the session gone."""
    shop = Application(named, status=400, alive={"sid-1"})
    async with receiver(shop) as there:
        probe = {"probe_url": there.url("/sessions/{sid}")}
        told = await connector.tell(whom(there.url("/bcl"), settings=probe), notice())
    assert (told.outcome, told.dead) == (Outcome.REFUSED, True)


@pytest.mark.parametrize(
    ("status", "alone", "with_credential"),
    [
        (200, False, False),
        (401, True, None),
        (403, True, None),
        (404, True, True),
        (410, True, True),
        (204, None, None),
        (302, None, None),
        (500, None, None),
    ],
)
async def test_what_a_probe_hears(
    connector: Backchannel, status: int, alone: bool | None, with_credential: bool | None
) -> None:
    """A probe with a credential of its own may have that refused, which proves nothing."""
    async with receiver(answers(200)) as there, receiver(answers(status)) as probe:
        for secrets, dead in (
            ({}, alone),
            ({"probe_authorization": "Bearer canary"}, with_credential),
        ):
            asked = {"uri": there.url("/bcl"), "client_id": "shop-1", "probe_url": probe.url("/s")}
            told = await connector.tell(target("backchannel", asked, secrets), notice())
            assert (told.outcome, told.dead) == (Outcome.DONE, dead)
    assert probe.seen[1].headers["authorization"] == "Bearer canary"
    assert all("authorization" not in seen.headers for seen in there.seen)


async def test_placeholders_are_encoded_and_must_have_a_value(connector: Backchannel) -> None:
    async with receiver(answers(200)) as there:
        asked = {"probe_url": there.url("/s/{sid}?who={account}")}
        odd = notice(sid="../a b?#", account="j\u00f6hn&x=1")
        await connector.tell(whom(there.url("/bcl"), settings=asked), odd)
        await connector.tell(whom(there.url("/bcl"), settings=asked), notice(sid=""))
    probes = [seen.target for seen in there.seen if seen.method == "GET"]
    assert probes == ["/s/..%2Fa%20b%3F%23?who=j%C3%B6hn%26x%3D1"]


async def test_a_probe_may_tell_what_a_lost_answer_does_not(connector: Backchannel) -> None:
    async with receiver(loses_the_answer) as there, receiver(answers(404)) as probe:
        settings = {"probe_url": probe.url("/s")}
        told = await connector.tell(whom(there.url("/bcl"), settings=settings), notice())
    assert (told.outcome, told.dead) == (Outcome.UNKNOWN, True)


async def test_a_probe_has_only_the_time_that_is_left(signer: FakeSigner) -> None:
    slow = Script([said(200, took=300), NoAnswer("timeout", sent=True)])
    settings = {"probe_url": "http://rp.example/s"}
    told = await Backchannel(slow, signer).tell(
        whom("http://rp.example", settings=settings), notice()
    )
    assert (told.outcome, told.dead) == (Outcome.DONE, None)
    whole, probe = (one.within for one in slow.asked)
    assert whole == TIMEOUT
    assert probe <= TIMEOUT - 300


def test_placeholders_nobody_knows_are_named(connector: Backchannel) -> None:
    asked = {"probe_url": "https://rp.example/{user}"}
    (problem,) = connector.problems(whom("https://rp.example/", settings=asked))
    assert problem == "probe_url: {user} is neither {sid} nor {account}"


async def test_a_test_ends_nothing(connector: Backchannel) -> None:
    shop = Application(named, alive={"sid-1", "john"})
    async with receiver(shop) as there:
        for naming in Naming:
            probe = {"probe_url": there.url("/sessions/{sid}")}
            asked = whom(there.url("/bcl"), settings=probe, naming=naming)
            told = await connector.test(asked, notice(jti="unguessable"))
            assert (told.outcome, told.dead) == (Outcome.DONE, None)
    assert shop.alive == {"sid-1", "john"}
    assert {named(seen) for seen in there.seen} == {"lastcall-test-unguessable"}
