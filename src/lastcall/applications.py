"""How applications can be reached: whether a client's settings will do, and how it answers."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from lastcall.domain.client import Client
from lastcall.domain.delivery import DeliveryId, Outcome
from lastcall.domain.token import ID_BYTES, id_text
from lastcall.domain.trial import Trial
from lastcall.domain.types import SECOND, ClientId, Duration, ReceiptId, SubjectId
from lastcall.outward import Answer, Connector, NoAnswer, Notice, Target, Told, opened, unanswered
from lastcall.ports import Clock, Entropy, Vault

NOBODY = SubjectId("nobody")


class Nowhere:
    """A way out and a signature that lead nowhere, for connectors that only check settings."""

    issuer = ""

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        within: Duration,
        private: bool = False,
    ) -> Answer:
        raise NoAnswer("address", sent=False)

    async def sign(self, claims: Mapping[str, object], *, typ: str, alg: str) -> str:
        raise ValueError("no keys here")

    def jwks(self) -> Mapping[str, object]:
        return {"keys": []}

    async def rotate(self, alg: str | None = None) -> None:
        raise ValueError("no keys here")


@dataclass(slots=True, kw_only=True)
class Reach:
    """The Applications port over the connectors there are."""

    connectors: Mapping[str, Connector]
    vault: Vault
    clock: Clock
    entropy: Entropy
    on_again: Callable[[ClientId], None] | None = None

    def problems(self, client: Client) -> Sequence[str]:
        return problems(self.connectors, client, opened(self.vault, client))

    async def test(self, client: Client) -> Trial:
        """Nothing a connector does may outlast the client's time by more than a second."""
        wrong = self.problems(client)
        if wrong:
            return Trial(outcome=Outcome.REFUSED, error="; ".join(wrong))
        connector = self.connectors.get(client.connector)
        if connector is None:
            return Trial(outcome=Outcome.REFUSED, error="cannot be told")
        target = Target(client=client, secrets=opened(self.vault, client))
        began = time.monotonic()
        try:
            async with asyncio.timeout(client.timeout / SECOND + 1):
                told = await connector.test(target, self._notice())
        except NoAnswer as error:
            told = unanswered(error)
        except TimeoutError:
            told = Told(outcome=Outcome.UNKNOWN, error="timeout")
        took = Duration(int((time.monotonic() - began) * SECOND))
        return Trial(
            outcome=told.outcome,
            status=told.status,
            received=told.received,
            took=took,
            error=told.error,
        )

    def _notice(self) -> Notice:
        once = id_text(self.entropy.bytes(ID_BYTES))
        now = self.clock.now()
        return Notice(
            delivery=DeliveryId(f"test_{once}"),
            receipt=ReceiptId(f"test_{once}"),
            number=1,
            jti=once,
            subject=NOBODY,
            account=NOBODY,
            email="",
            sid="",
            session=None,
            at=now,
            now=now,
            reason="a test: nothing is to end",
        )


def problems(
    connectors: Mapping[str, Connector], client: Client, secrets: Mapping[str, str]
) -> Sequence[str]:
    """`secrets` in the clear. A client without a connector cannot be told, and needs nothing."""
    if not client.connector:
        return ["connector: is missing"] if client.settings or secrets else []
    connector = connectors.get(client.connector)
    if connector is None:
        return [f"connector: is not one of {', '.join(connectors)}"]
    return connector.problems(Target(client=replace(client, secrets={}), secrets=secrets))
