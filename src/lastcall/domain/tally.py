"""Tally: what the deliveries of a logout have come to, and what of it is left."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lastcall.domain.audit import Record
from lastcall.domain.client import Ability, Client
from lastcall.domain.delivery import Attempt, Delivery, DeliveryState
from lastcall.domain.logout import Receipt, Spread
from lastcall.domain.types import ClientId, Duration, Instant, later

WELL = frozenset({DeliveryState.ACKNOWLEDGED, DeliveryState.VERIFIED})
"""What an application has obeyed, as it says itself or as a probe saw."""

NOT_WELL = frozenset(DeliveryState) - WELL


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """What one application was owed, by state. `client` is None once it has been removed."""

    id: ClientId
    client: Client | None
    states: Mapping[DeliveryState, int]

    @property
    def name(self) -> str:
        return self.client.name if self.client else ""

    @property
    def lingers(self) -> bool:
        """Whether it obeys by refusing new tokens alone, so that those given out live on."""
        told = self.states.get(DeliveryState.ACKNOWLEDGED, 0)
        return self.client is not None and self.client.can is Ability.NEW_TOKENS and told > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    delivery: Delivery
    attempts: Sequence[Attempt]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptView:
    """A receipt with all that became of it by `now`.

    `tried` is a page of its deliveries, continued after `next`; `left` the first of those that
    have not ended well. The counts are always of all. `record` is the logout's audit record.
    """

    receipt: Receipt
    record: Record | None
    now: Instant
    applications: tuple[Application, ...]
    unsettled: int
    last_settled: Instant | None
    tried: tuple[Tried, ...]
    next: str | None
    left: tuple[Delivery, ...]
    spread: Spread

    @property
    def totals(self) -> Mapping[DeliveryState, int]:
        total: Counter[DeliveryState] = Counter()
        for application in self.applications:
            total.update(application.states)
        return {state: total[state] for state in DeliveryState if total[state]}

    @property
    def left_total(self) -> int:
        return sum(count for state, count in self.totals.items() if state in NOT_WELL)

    @property
    def finished(self) -> bool:
        """Nothing of it will change any more, unless something is delivered again by hand."""
        return self.receipt.complete and self.unsettled == 0

    @property
    def lingering_until(self) -> Instant | None:
        """Until when tokens live on at applications that refuse new ones alone."""
        at = self.receipt.revocation.at
        clients = [one.client for one in self.applications if one.lingers]
        return max((later(at, client.outlives) for client in clients if client), default=None)

    @property
    def everyone_out_at(self) -> Instant | None:
        """When the last application had obeyed; None while one has not, or its tokens live."""
        if not self.finished or self.left_total:
            return None
        begun = self.receipt.revocation.at
        at = max(begun, self.last_settled or begun, self.lingering_until or begun)
        return at if at <= self.now else None

    @property
    def everyone_out_after(self) -> Duration | None:
        at = self.everyone_out_at
        return None if at is None else Duration(at - self.receipt.revocation.at)

    @property
    def certainty(self) -> DeliveryState | None:
        """The weaker of the two ways of being well that occur; None when nobody was owed."""
        totals = self.totals
        return next((one for one in DeliveryState if one in WELL and one in totals), None)

    @property
    def mark(self) -> object:
        """Differs whenever the receipt has changed."""
        tries = tuple((one.delivery.id, one.delivery.attempts) for one in self.tried)
        return self.receipt, tuple(self.totals.items()), self.unsettled, tries


def over(delivery: Delivery, now: Instant) -> bool:
    """Whether what could not be ended there is over by itself."""
    return delivery.until is not None and delivery.until <= now


def gone_at(delivery: Delivery, client: Client | None, now: Instant) -> Instant:
    """When the sessions a delivery was about were gone, if they are: obeyed, or over."""
    lingers = client is not None and client.can is Ability.NEW_TOKENS
    verified = delivery.state is DeliveryState.VERIFIED
    if verified or (delivery.state in WELL and not lingers):
        return delivery.settled_at or delivery.created
    if delivery.until is not None and delivery.until <= now:
        return delivery.until
    return delivery.created


def standing_against(
    deliveries: Sequence[Delivery], clients: Mapping[ClientId, Client], now: Instant
) -> list[Delivery]:
    """Which of a subject's deliveries still leave sessions that may be alive.

    A notice for the whole account that was obeyed later makes up for an earlier one.
    """
    obeyed: dict[tuple[ClientId, str], Instant] = {}
    for one in deliveries:
        if one.state in WELL and not one.sid:
            key = (one.client, one.account)
            obeyed[key] = max(obeyed.get(key, one.created), one.created)

    def stands(one: Delivery) -> bool:
        client = clients.get(one.client)
        if one.state is DeliveryState.VERIFIED or over(one, now):
            return False
        if client is not None and client.can is Ability.NEW_TOKENS:
            return True
        made_up = obeyed.get((one.client, one.account), Instant(0)) > one.created
        return one.state not in WELL and not made_up

    return [one for one in deliveries if stands(one)]
