"""What telling applications needs: a way out, a signature, and one connector for each wire."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from lastcall.domain.client import Client
from lastcall.domain.delivery import DeliveryId, Outcome
from lastcall.domain.types import ClientId, Duration, Instant, ReceiptId, SessionId, SubjectId
from lastcall.ports import Signer as Signer  # for connectors, beside what else they need
from lastcall.ports import Vault
from lastcall.ports.tracing import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back over HTTP. `body` is capped; `took` in milliseconds; names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    took: Duration


class NoAnswer(Exception):
    """No usable answer. `sent`: whether the request may have reached the other side.

    `reason` is one of connect, timeout, tls, address, redirect, too-large, lost, protocol.
    """

    def __init__(self, reason: str, *, sent: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.sent = sent


class Egress(Protocol):
    """HTTP to the outside: checked and pinned addresses, no redirects, no cookies, no proxies."""

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
        """`private` allows plain http and addresses that are not public. Raises `NoAnswer`.

        `within`, in milliseconds, covers everything from look-up to the last byte read.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What a client is to be told. `delivery` stays the same over all tries; `jti` never does.

    `sid` is empty when all of the account's sessions are meant. `account` is the name there.
    """

    delivery: DeliveryId
    receipt: ReceiptId
    number: int
    jti: str
    subject: SubjectId
    account: str
    email: str
    sid: str = field(repr=False)
    session: SessionId | None
    at: Instant
    now: Instant
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The client, with its secrets opened; never shown and never logged."""

    client: Client
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def settings(self) -> Mapping[str, str]:
        return self.client.settings


def opened(vault: Vault, client: Client) -> dict[str, str]:
    """A client's secrets in the clear; raises `StoreUnavailable` for what was sealed elsewhere."""
    return {
        name: vault.open(sealed, f"client:{client.id}:{name}")
        for name, sealed in client.secrets.items()
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What one try came to; `dead` is what a probe saw afterwards, None where none is possible."""

    outcome: Outcome
    status: int = 0
    received: int = 0
    error: str = ""
    dead: bool | None = None
    retry_after: Duration = Duration(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting of a connector, for checking, documentation and forms."""

    name: str
    about: str
    required: bool = True
    secret: bool = False


def tell_of(span: Span, client: Client, number: int, told: Told) -> None:
    """What a trace shows of a try."""
    span.tell("lastcall.application", client.name)
    span.tell("lastcall.connector", client.connector)
    span.tell("lastcall.attempt", number)
    span.tell("lastcall.outcome", told.outcome)
    if told.outcome is not Outcome.DONE:
        span.failed(told.error)


class Connector(Protocol):
    """One outbound wire. It raises nothing but `NoAnswer`, which `unanswered` judges."""

    name: str
    settings: Sequence[Setting]

    def problems(self, target: Target) -> Sequence[str]:
        """What is wrong with a target's settings, in words; nothing when it can be used."""
        ...

    async def tell(self, target: Target, notice: Notice) -> Told:
        """Deliver the notice, and where this wire can, probe that the session is dead there."""
        ...

    async def test(self, target: Target, notice: Notice) -> Told:
        """Send a real notice that can end nothing, to see whether the receiver answers well."""
        ...


ACCEPTED = frozenset({200, 201, 202, 204})
RETRYABLE = frozenset({408, 425, 429, *range(500, 600)})


def judged(answer: Answer, *, ok: frozenset[int] = ACCEPTED) -> Told:
    """An answer by its status alone: 2xx done, 408, 425, 429 and 5xx again, all else refused."""
    status = answer.status
    retry_after = Duration(0)
    if status in ok:
        outcome = Outcome.DONE
    elif status in RETRYABLE:
        outcome = Outcome.RETRY
        text = answer.headers.get("retry-after", "")
        seconds = int(text) if re.fullmatch("[0-9]{1,9}", text, re.ASCII) else 0
        retry_after = Duration(seconds * 1_000)
    else:
        outcome = Outcome.REFUSED
    return Told(
        outcome=outcome,
        status=status,
        received=len(answer.body),
        error="" if outcome is Outcome.DONE else f"status {status}",
        retry_after=retry_after,
    )


def unanswered(error: NoAnswer) -> Told:
    """No answer: unknown when it may have arrived, else to be tried again.

    A forbidden address and a redirect are the target's fault and no matter of trying again.
    """
    if error.reason in ("address", "redirect"):
        outcome = Outcome.REFUSED
    else:
        outcome = Outcome.UNKNOWN if error.sent else Outcome.RETRY
    return Told(outcome=outcome, error=error.reason)


def sealed_sid(vault: Vault, client: ClientId, sid: str) -> str:
    """A session's id at a client as it is kept: at some of them it is a live bearer secret."""
    return vault.seal(sid, _sid_context(client)) if sid else ""


def opened_sid(vault: Vault, client: ClientId, sealed: str) -> str:
    """Raises `StoreUnavailable` for what was sealed elsewhere or for another client."""
    return vault.open(sealed, _sid_context(client)) if sealed else ""


def _sid_context(client: ClientId) -> str:
    return f"sid:{client}"
