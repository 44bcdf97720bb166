"""Webhooks: what is posted, and that a receiver can check it the way Standard Webhooks says."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

import pytest

from lastcall.connectors.webhook import Webhook
from lastcall.domain.delivery import Outcome
from lastcall.egress import HttpEgress
from lastcall.outward import Target
from tests.connectors.making import notice, target
from tests.connectors.receivers import Application, Seen, answers, receiver
from tests.contract.connector import ConnectorContract
from tests.fakes import EPOCH, FakeSigner

OLD, NEW = ("whsec_" + base64.b64encode(bytes([number]) * 24).decode() for number in (1, 2))


class TestContract(ConnectorContract):
    name = "webhook"

    def settings(self, url: str) -> Mapping[str, str]:
        return {"url": f"{url}/hook"}

    def secrets(self) -> Mapping[str, str]:
        return {"secret": OLD}


def whom(url: str, secret: str = OLD, **settings: str) -> Target:
    return target("webhook", {"url": url, **settings}, {"secret": secret})


def checked(seen: Seen, secret: str) -> Mapping[str, Any]:
    """As a receiver does: the body as it came, one signature of those given is enough."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    head = f"{seen.headers['webhook-id']}.{seen.headers['webhook-timestamp']}.".encode()
    digest = hmac.new(key, head + seen.body, hashlib.sha256).digest()
    expected = "v1," + base64.b64encode(digest).decode()
    assert expected in seen.headers["webhook-signature"].split(" ")
    return dict(json.loads(seen.body))


@pytest.fixture
def connector(egress: HttpEgress, signer: FakeSigner) -> Webhook:
    return Webhook(egress, signer)


async def test_a_session_that_ended(connector: Webhook) -> None:
    async with receiver(answers(204)) as there:
        await connector.tell(whom(there.url("/hook?x=1")), notice(reason="caf\u00e9 \ud800"))
    (seen,) = there.seen
    assert (seen.method, seen.target) == ("POST", "/hook?x=1")
    assert seen.headers["content-type"] == "application/json"
    assert seen.headers["webhook-id"] == "d_0123456789abcdef"
    assert seen.headers["webhook-timestamp"] == str(EPOCH // 1000)
    assert checked(seen, OLD) == {
        "type": "session.ended",
        "timestamp": "2016-04-07T10:27:19.183Z",
        "data": {
            "receipt": "r_1",
            "subject": "u-john",
            "account": "john",
            "sid": "sid-1",
            "all_sessions": False,
            "reason": "caf\u00e9 \ud800",
        },
    }


async def test_all_of_an_account(connector: Webhook) -> None:
    async with receiver(answers(204)) as there:
        await connector.tell(whom(there.url()), notice(sid="", session=None))
        told = await connector.tell(whom(there.url()), notice(sid="", account=""))
    data = checked(there.seen[0], OLD)["data"]
    assert (data["sid"], data["all_sessions"], data["account"]) == (None, True, "john")
    assert (told.error, len(there.seen)) == ("nobody to name", 1)


async def test_124_a_repeat_has_the_same_id_and_a_new_time(connector: Webhook) -> None:
    async with receiver(answers(500, 204)) as there:
        await connector.tell(whom(there.url()), notice())
        again = notice(number=2, jti="jti-2", now=EPOCH + 5_000)
        await connector.tell(whom(there.url()), again)
    first, second = (seen.headers for seen in there.seen)
    assert first["webhook-id"] == second["webhook-id"]
    assert int(second["webhook-timestamp"]) - int(first["webhook-timestamp"]) == 5
    assert there.seen[0].body == there.seen[1].body
    assert first["webhook-signature"] != second["webhook-signature"]


async def test_125_old_and_new_secret_while_they_change(connector: Webhook) -> None:
    async with receiver(answers(204)) as there:
        await connector.tell(whom(there.url(), f"{NEW} {OLD}"), notice())
    assert checked(there.seen[0], OLD) == checked(there.seen[0], NEW)


@pytest.mark.parametrize(
    "secret",
    [
        "secret",
        "whsec_",
        "whsec_!!!!",
        "whsec_" + base64.b64encode(bytes(23)).decode(),
        "whsec_" + base64.b64encode(bytes(65)).decode(),
        "whsec_" + base64.b64encode(bytes(24)).decode() + " other",
        base64.b64encode(bytes(32)).decode(),
        "whsec_\u00e9",
    ],
)
def test_125_secrets_too_weak_to_sign_with(connector: Webhook, secret: str) -> None:
    (problem,) = connector.problems(whom("https://rp.example/", secret))
    assert problem == "secret: is not whsec_ and the base64 of 24 to 64 bytes"


async def test_nothing_is_sent_unsigned(connector: Webhook) -> None:
    async with receiver(answers(204)) as there:
        told = await connector.tell(whom(there.url(), "secret"), notice())
    assert (told.outcome, told.error) == (Outcome.REFUSED, "nothing to sign with")
    assert there.seen == []


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, Outcome.DONE),
        (206, Outcome.DONE),
        (302, Outcome.REFUSED),
        (410, Outcome.REFUSED),
        (429, Outcome.RETRY),
        (502, Outcome.RETRY),
    ],
)
async def test_what_an_answer_means(connector: Webhook, status: int, outcome: Outcome) -> None:
    async with receiver(answers(status)) as there:
        told = await connector.tell(whom(there.url()), notice())
    assert (told.outcome, told.status) == (outcome, status)


async def test_123_a_liar_is_found_out(connector: Webhook) -> None:
    for honest in (True, False):
        shop = Application(
            lambda seen: str(checked(seen, OLD)["data"]["sid"]), honest=honest, alive={"sid-1"}
        )
        async with receiver(shop) as there:
            asked = whom(there.url(), probe_url=there.url("/sessions/{sid}"))
            told = await connector.tell(asked, notice())
        assert (told.outcome, told.dead) == (Outcome.DONE, honest)


async def test_a_test_ends_nothing(connector: Webhook) -> None:
    async with receiver(answers(204)) as there:
        told = await connector.test(whom(there.url()), notice(jti="unguessable"))
    data = checked(there.seen[0], OLD)["data"]
    assert told.outcome is Outcome.DONE
    assert data["sid"] == data["account"] == data["subject"] == "lastcall-test-unguessable"
