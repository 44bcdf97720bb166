"""CAEP session-revoked, pushed: the token's shape, whom it names, and the push (RFC 8935)."""

from collections.abc import Mapping
from typing import Any

import pytest

from lastcall.connectors.shared_signals import EVENT, SharedSignals
from lastcall.domain.delivery import Outcome
from lastcall.egress import HttpEgress
from lastcall.outward import Target
from tests.connectors.making import notice, target
from tests.connectors.receivers import Application, Exchange, Seen, answers, receiver
from tests.contract.connector import ConnectorContract
from tests.contract.signer import decoded
from tests.fakes import EPOCH, FakeSigner

USER = {"format": "iss_sub", "iss": "https://lastcall.example", "sub": "john"}
SESSION = {"format": "opaque", "id": "sid-1"}


class TestContract(ConnectorContract):
    name = "shared-signals"

    def settings(self, url: str) -> Mapping[str, str]:
        return {"url": f"{url}/push", "audience": "them"}

    def secrets(self) -> Mapping[str, str]:
        return {"authorization": "Bearer secret-of-the-client"}


def whom(url: str, secrets: Mapping[str, str] | None = None, /, **settings: str) -> Target:
    return target("shared-signals", {"url": url, "audience": "them", **settings}, secrets)


def token(seen: Seen) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    header, claims, _ = seen.body.decode("ascii").split(".")
    return decoded(header), decoded(claims)


@pytest.fixture
def connector(egress: HttpEgress, signer: FakeSigner) -> SharedSignals:
    return SharedSignals(egress, signer)


async def test_ssf_1_caep_1_2_3_the_token(connector: SharedSignals) -> None:
    async with receiver(answers(202)) as there:
        await connector.tell(whom(there.url("/push")), notice())
    header, claims = token(there.seen[0])
    assert header == {"typ": "secevent+jwt", "alg": "RS256", "kid": "fake-RS256"}
    assert claims == {
        "iss": "https://lastcall.example",
        "aud": "them",
        "iat": EPOCH // 1000,
        "jti": "jti-1",
        "txn": "r_1",
        "sub_id": {"format": "complex", "user": USER, "session": SESSION},
        "events": {
            EVENT: {
                "event_timestamp": (EPOCH - 1_500) // 1000,
                "initiating_entity": "admin",
                "reason_admin": {"en": "left the company"},
            }
        },
    }


async def test_ssf_1_one_cause_is_one_txn_whatever_the_try(connector: SharedSignals) -> None:
    async with receiver(answers(500, 202)) as there:
        for number in (1, 2):
            await connector.tell(whom(there.url()), notice(jti=f"jti-{number}", number=number))
    first, second = (token(seen)[1] for seen in there.seen)
    assert first["txn"] == second["txn"]
    assert first["jti"] != second["jti"]


async def test_caep_3_there_is_always_a_reason(connector: SharedSignals) -> None:
    async with receiver(answers(202)) as there:
        await connector.tell(whom(there.url(), initiator="policy"), notice(reason=""))
    event = token(there.seen[0])[1]["events"][EVENT]
    assert event["reason_admin"] == {"en": "The session was ended."}
    assert event["initiating_entity"] == "policy"


@pytest.mark.parametrize(
    ("settings", "sid", "expected"),
    [
        ({}, "", {"format": "complex", "user": USER}),
        ({"subject": "simple"}, "", USER),
        ({"subject": "simple"}, "sid-1", SESSION),
        (
            {"subject": "simple", "format": "email"},
            "",
            {"format": "email", "email": "john@domain.com"},
        ),
        (
            {"format": "opaque"},
            "sid-1",
            {"format": "complex", "user": {"format": "opaque", "id": "john"}, "session": SESSION},
        ),
        (
            {"issuer": "https://idp.example"},
            "",
            {"format": "complex", "user": {**USER, "iss": "https://idp.example"}},
        ),
    ],
)
async def test_ssf_1_whom_it_names(
    connector: SharedSignals, settings: Mapping[str, str], sid: str, expected: Mapping[str, Any]
) -> None:
    async with receiver(answers(202)) as there:
        await connector.tell(whom(there.url(), **settings), notice(sid=sid))
    assert token(there.seen[0])[1]["sub_id"] == expected


async def test_nobody_to_name(connector: SharedSignals) -> None:
    async with receiver(answers(202)) as there:
        for subject in ("complex", "simple"):
            asked = whom(there.url(), subject=subject, format="email")
            told = await connector.tell(asked, notice(sid="", email=""))
            assert (told.outcome, told.error) == (Outcome.REFUSED, "nobody to name")
        told = await connector.tell(whom(there.url(), format="email"), notice(email=""))
        assert told.outcome is Outcome.DONE
    assert token(there.seen[0])[1]["sub_id"] == {"format": "complex", "session": SESSION}


async def test_rfc_8935_the_push(connector: SharedSignals) -> None:
    async with receiver(answers(202)) as there:
        await connector.tell(whom(there.url("/push")), notice())
        await connector.tell(whom(there.url("/push"), {"authorization": "Bearer x"}), notice())
    seen, with_header = there.seen
    assert (seen.method, seen.target) == ("POST", "/push")
    assert seen.headers["content-type"] == "application/secevent+jwt"
    assert seen.headers["accept"] == "application/json"
    assert "authorization" not in seen.headers
    assert with_header.headers["authorization"] == "Bearer x"


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (202, Outcome.DONE),
        (200, Outcome.DONE),
        (204, Outcome.DONE),
        (400, Outcome.REFUSED),
        (401, Outcome.REFUSED),
        (429, Outcome.RETRY),
        (503, Outcome.RETRY),
    ],
)
async def test_rfc_8935_what_an_answer_means(
    connector: SharedSignals, status: int, outcome: Outcome
) -> None:
    error = b'{"err": "invalid_key", "description": "unknown key"}'
    async with receiver(answers(status, body=error)) as there:
        told = await connector.tell(whom(there.url()), notice())
    assert (told.outcome, told.status) == (outcome, status)
    assert "invalid_key" not in told.error


async def test_123_a_liar_is_found_out(connector: SharedSignals) -> None:
    for honest in (True, False):
        shop = Application(
            lambda seen: str(token(seen)[1]["sub_id"]["session"]["id"]),
            honest=honest,
            status=202,
            alive={"sid-1"},
        )
        async with receiver(shop) as there:
            asked = whom(there.url(), probe_url=there.url("/sessions/{sid}"))
            told = await connector.tell(asked, notice())
        assert (told.outcome, told.dead) == (Outcome.DONE, honest)


async def test_a_test_ends_nothing(connector: SharedSignals) -> None:
    async def strict(exchange: Exchange) -> None:
        named = token(exchange.seen)[1]["sub_id"]
        assert named["session"]["id"] == named["user"]["sub"] == "lastcall-test-unguessable"
        await exchange.reply(202)

    async with receiver(strict) as there:
        told = await connector.test(whom(there.url()), notice(jti="unguessable"))
    assert told.outcome is Outcome.DONE
