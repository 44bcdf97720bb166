"""Notices and targets for tests, complete unless said otherwise."""

from collections.abc import Mapping, Sequence
from typing import Any

from lastcall.domain.client import Client
from lastcall.domain.delivery import DeliveryId
from lastcall.domain.types import (
    ClientId,
    Duration,
    Instant,
    ReceiptId,
    SessionId,
    SubjectId,
    TenantId,
)
from lastcall.outward import Notice, Target
from tests.fakes import EPOCH

TIMEOUT = Duration(30_000)


def notice(**more: Any) -> Notice:
    usual: dict[str, Any] = {
        "delivery": DeliveryId("d_0123456789abcdef"),
        "receipt": ReceiptId("r_1"),
        "number": 1,
        "jti": "jti-1",
        "subject": SubjectId("u-john"),
        "account": "john",
        "email": "john@domain.com",
        "sid": "sid-1",
        "session": SessionId("s-1"),
        "at": Instant(EPOCH - 1_500),
        "now": EPOCH,
        "reason": "left the company",
    }
    return Notice(**{**usual, **more})


def target(
    connector: str,
    settings: Mapping[str, str],
    secrets: Mapping[str, str] | None = None,
    **more: Any,
) -> Target:
    """A private one: receivers live on this machine."""
    usual: dict[str, Any] = {
        "id": ClientId("c-1"),
        "tenant": TenantId("default"),
        "name": "shop",
        "connector": connector,
        "settings": settings,
        "timeout": TIMEOUT,
        "private": True,
        "created": EPOCH,
        "changed": EPOCH,
    }
    return Target(client=Client(**{**usual, **more}), secrets=secrets or {})


class Names:
    """Look-ups that answer as told: each name's answers in turn, the last one for good."""

    def __init__(self, known: Mapping[str, Sequence[Sequence[str]]] | None = None) -> None:
        self.known = dict(known or {})
        self.asked: list[str] = []

    async def __call__(self, host: str) -> Sequence[str]:
        answers = self.known.get(host)
        if answers is None:
            raise OSError("no such name")
        self.asked.append(host)
        return answers[min(self.asked.count(host), len(answers)) - 1]
