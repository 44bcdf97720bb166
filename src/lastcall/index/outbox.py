"""The outbox of one tenant: its clients, what they are owed, and every try to tell them."""

from collections import Counter
from collections.abc import Iterable
from heapq import nsmallest
from typing import TypeVar

from lastcall.domain.client import AccountName, Client
from lastcall.domain.delivery import Attempt, Delivery, DeliveryId, DeliveryState
from lastcall.domain.types import ClientId, Instant, ReceiptId, SubjectId, TenantId
from lastcall.index.queue import Queue

T = TypeVar("T")

DueQueue = Queue[tuple[TenantId, ClientId], DeliveryId]

Group = tuple[str, str]
"""A column and its value: deliveries are found by receipt, by client and by subject."""

OutboxFact = Client | AccountName | Delivery | Attempt


class Outbox:
    """`queue` and `depth` are shared by the outboxes of an index."""

    def __init__(self, queue: DueQueue, depth: Counter[DeliveryState]) -> None:
        self.clients: dict[ClientId, Client] = {}
        self.always: dict[ClientId, Client] = {}
        self.client_names: dict[str, ClientId] = {}
        self.accounts: dict[ClientId, dict[SubjectId, str]] = {}
        self.deliveries: dict[DeliveryId, Delivery] = {}
        self.groups: dict[Group, dict[DeliveryId, None]] = {}
        self.tallies: dict[ReceiptId, Counter[tuple[ClientId, DeliveryState]]] = {}
        self.unsettled: Counter[ReceiptId] = Counter()
        self.attempts: dict[DeliveryId, tuple[Attempt, ...]] = {}
        self._queue = queue
        self._depth = depth

    def place(self, before: OutboxFact | None, after: OutboxFact | None) -> None:
        """Take one row from `before` to `after`, like the methods of a shelf."""
        for fact, present in ((before, False), (after, True)):
            match fact:
                case Delivery():
                    self._delivery(fact, present=present)
                case Attempt():
                    self._attempt(fact, present=present)
                case Client():
                    self._client(fact, present=present)
                case AccountName():
                    self._account(fact, present=present)
                case None:
                    pass
        one = before if after is None else after
        if isinstance(one, Delivery):
            if before is None or after is None:
                self._group(one, present=after is not None)
            due = None if after is None else ready_at(one)
            self._queue.put((one.tenant, one.client), one.id, due)

    def _delivery(self, one: Delivery, *, present: bool) -> None:
        step = 1 if present else -1
        if present:
            self.deliveries[one.id] = one
        else:
            del self.deliveries[one.id]
        self._depth[one.state] += step
        tally = self.tallies.get(one.receipt)
        if tally is None:
            tally = self.tallies[one.receipt] = Counter()
        _count(tally, (one.client, one.state), step)
        if not tally:
            del self.tallies[one.receipt]
        if one.next_at is not None:
            _count(self.unsettled, one.receipt, step)

    def _group(self, one: Delivery, *, present: bool) -> None:
        for group in _groups(one):
            members = self.groups.setdefault(group, {})
            if present:
                members[one.id] = None
            else:
                del members[one.id]
            if not members:
                del self.groups[group]

    def _attempt(self, one: Attempt, *, present: bool) -> None:
        others = [other for other in self.attempts.get(one.delivery, ()) if other != one]
        rows = sorted([*others, one], key=_number) if present else others
        if rows:
            self.attempts[one.delivery] = tuple(rows)
        else:
            del self.attempts[one.delivery]

    def _client(self, one: Client, *, present: bool) -> None:
        if present:
            self.clients[one.id] = one
            self.client_names[one.name] = one.id
            if one.always:
                self.always[one.id] = one
        else:
            del self.clients[one.id]
            del self.client_names[one.name]
            self.always.pop(one.id, None)

    def _account(self, one: AccountName, *, present: bool) -> None:
        listed = self.accounts.setdefault(one.client, {})
        if present:
            listed[one.subject] = one.account
        else:
            del listed[one.subject]
        if not listed:
            del self.accounts[one.client]

    def accounts_of(self, client: ClientId) -> list[AccountName]:
        listed = self.accounts.get(client, {})
        return [
            AccountName(client=client, subject=subject, account=account)
            for subject, account in listed.items()
        ]

    def list_deliveries(
        self,
        *,
        wanted: Iterable[Group],
        states: frozenset[DeliveryState],
        after: str,
        limit: int,
    ) -> list[Delivery]:
        """By id; the smallest of the groups asked for is looked through."""
        groups = [self.groups.get(group, {}) for group in wanted]
        first = min(groups, key=len, default=self.deliveries)
        ids = (
            one
            for one in first
            if one > after
            and all(one in group for group in groups)
            and (not states or self.deliveries[one].state in states)
        )
        return [self.deliveries[one] for one in nsmallest(limit, ids)]

    def last_settled(self, receipt: ReceiptId) -> Instant | None:
        of_receipt = (self.deliveries[one] for one in self.groups.get(("receipt", receipt), ()))
        return max((one.settled_at for one in of_receipt if one.settled_at), default=None)


def ready_at(delivery: Delivery) -> Instant | None:
    """When a worker may claim it; None when it is settled."""
    if delivery.next_at is None:
        return None
    return max(delivery.next_at, delivery.claimed_until)


def _groups(one: Delivery) -> tuple[Group, Group, Group]:
    return ("receipt", one.receipt), ("client", one.client), ("subject", one.subject)


def _count(counter: Counter[T], key: T, step: int) -> None:
    counter[key] += step
    if not counter[key]:
        del counter[key]


def _number(attempt: Attempt) -> int:
    return attempt.number
