"""The outbox of one tenant: its clients, what they are owed, and every try to tell them."""

from collections import Counter
from collections.abc import Iterable, Sequence
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
        self.tallies: dict[ReceiptId, dict[tuple[ClientId, DeliveryState], int]] = {}
        self.unsettled: Counter[ReceiptId] = Counter()
        self.attempts: dict[DeliveryId, tuple[Attempt, ...]] = {}
        self._by_name: dict[bool, Sequence[Client]] = {}
        self._queue = queue
        self._depth = depth

    def place(self, before: OutboxFact | None, after: OutboxFact | None) -> None:
        """Take one row from `before` to `after`, like the methods of a shelf."""
        match before, after:
            case (Delivery() | None as was, Delivery() | None as will):
                self._delivery(was, will)
            case _:
                self._row(before, present=False)
                self._row(after, present=True)

    def _row(self, fact: OutboxFact | None, *, present: bool) -> None:
        match fact:
            case Attempt():
                self._attempt(fact, present=present)
            case Client():
                self._client(fact, present=present)
            case AccountName():
                self._account(fact, present=present)

    def _delivery(self, before: Delivery | None, after: Delivery | None) -> None:
        """What it is counted as changes less often than it does."""
        one = before if after is None else after
        assert one is not None
        if after is None:
            del self.deliveries[one.id]
        else:
            self.deliveries[one.id] = after
        if before is None or after is None:
            self._group(one, present=before is None)
            self._count(one, 1 if before is None else -1)
        elif _counts_as(before) != _counts_as(after):
            self._count(before, -1)
            self._count(after, 1)
        due = None if after is None else ready_at(after)
        self._queue.put((one.tenant, one.client), one.id, due)

    def _count(self, one: Delivery, step: int) -> None:
        self._depth[one.state] += step
        tally = self.tallies.setdefault(one.receipt, {})
        _add(tally, (one.client, one.state), step)
        if not tally:
            del self.tallies[one.receipt]
        if one.next_at is not None:
            _add(self.unsettled, one.receipt, step)

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
        self._by_name.clear()
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

    def by_name(self, *, always: bool) -> Sequence[Client]:
        """Every logout asks; they hardly ever change."""
        found = self._by_name.get(always)
        if found is None:
            clients = (self.always if always else self.clients).values()
            found = self._by_name[always] = sorted(clients, key=_name)
        return found

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


def _counts_as(one: Delivery) -> tuple[DeliveryState, bool]:
    return one.state, one.next_at is None


def _add(counts: dict[T, int], key: T, step: int) -> None:
    number = counts.get(key, 0) + step
    if number:
        counts[key] = number
    else:
        del counts[key]


def _name(client: Client) -> str:
    return client.name


def _number(attempt: Attempt) -> int:
    return attempt.number
