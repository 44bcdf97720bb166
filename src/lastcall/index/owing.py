"""The outbox in a transaction: clients, what they are owed, the tries; and what is intended."""

from collections.abc import Mapping, Sequence

from lastcall.domain.client import AccountName, Client
from lastcall.domain.delivery import Attempt, Delivery, DeliveryId, DeliveryState
from lastcall.domain.errors import Conflict, NotFound
from lastcall.domain.plan import Plan, Preview, Remembered
from lastcall.domain.types import ClientId, Instant, PlanId, PreviewId, ReceiptId, SubjectId
from lastcall.index.changes import Changes


class OutboxRows(Changes):
    # --- clients ---

    async def client(self, id: ClientId) -> Client | None:
        return self._shelf.outbox.clients.get(id)

    async def client_named(self, name: str) -> Client | None:
        found = self._shelf.outbox.client_names.get(name)
        return None if found is None else self._shelf.outbox.clients[found]

    async def clients(self, *, always: bool = False) -> Sequence[Client]:
        return self._shelf.outbox.by_name(always=always)

    async def put_client(self, client: Client) -> None:
        self._own(client.tenant)
        outbox = self._shelf.outbox
        if outbox.client_names.get(client.name, client.id) != client.id:
            raise Conflict("the name is taken")
        self._change(outbox.clients.get(client.id), client)

    async def remove_client(self, id: ClientId) -> None:
        before = self._shelf.outbox.clients.get(id)
        if before is not None:
            for listed in self._shelf.outbox.accounts_of(id):
                self._change(listed, None)
            self._change(before, None)

    async def account_listed(self, client: ClientId, subject: SubjectId) -> str | None:
        return self._shelf.outbox.accounts.get(client, {}).get(subject)

    async def put_account(self, client: ClientId, subject: SubjectId, account: str) -> None:
        if client not in self._shelf.outbox.clients:
            raise NotFound("no such client")
        listed = await self.account_listed(client, subject)
        before = after = None
        if listed is not None:
            before = AccountName(client=client, subject=subject, account=listed)
        if account:
            after = AccountName(client=client, subject=subject, account=account)
        if before != after:
            self._change(before, after)

    def _unlist_accounts(self, subject: SubjectId) -> None:
        for client, listed in list(self._shelf.outbox.accounts.items()):
            if subject in listed:
                name = AccountName(client=client, subject=subject, account=listed[subject])
                self._change(name, None)

    # --- deliveries ---

    async def add_delivery(self, delivery: Delivery) -> bool:
        self._own(delivery.tenant)
        if delivery.id in self._shelf.outbox.deliveries:
            return False
        self._change(None, delivery)
        return True

    async def delivery(self, id: DeliveryId) -> Delivery | None:
        return self._shelf.outbox.deliveries.get(id)

    async def put_delivery(self, delivery: Delivery) -> None:
        self._own(delivery.tenant)
        before = self._shelf.outbox.deliveries.get(delivery.id)
        if before is None:
            raise NotFound("no such delivery")
        self._change(before, delivery)

    async def deliveries(
        self,
        *,
        receipt: ReceiptId | None = None,
        client: ClientId | None = None,
        subject: SubjectId | None = None,
        states: frozenset[DeliveryState] = frozenset(),
        after: str = "",
        limit: int = 100,
    ) -> Sequence[Delivery]:
        asked = (("receipt", receipt), ("client", client), ("subject", subject))
        wanted = [(kind, value) for kind, value in asked if value is not None]
        return self._shelf.outbox.list_deliveries(
            wanted=wanted, states=states, after=after, limit=limit
        )

    async def tally(self, receipt: ReceiptId) -> Mapping[tuple[ClientId, DeliveryState], int]:
        return dict(self._shelf.outbox.tallies.get(receipt, {}))

    async def unsettled(self, receipt: ReceiptId) -> int:
        return self._shelf.outbox.unsettled[receipt]

    async def last_settled(self, receipt: ReceiptId) -> Instant | None:
        return self._shelf.outbox.last_settled(receipt)

    async def add_attempt(self, attempt: Attempt) -> None:
        outbox = self._shelf.outbox
        if attempt.delivery not in outbox.deliveries:
            raise NotFound("no such delivery")
        if any(one.number == attempt.number for one in outbox.attempts.get(attempt.delivery, ())):
            raise Conflict("the attempt is there already")
        self._change(None, attempt)

    async def attempts(self, delivery: DeliveryId) -> Sequence[Attempt]:
        return self._shelf.outbox.attempts.get(delivery, ())

    # --- what is intended ---

    async def preview(self, id: PreviewId) -> Preview | None:
        return self._shelf.intentions.previews.get(id)

    async def put_preview(self, preview: Preview) -> None:
        self._own(preview.tenant)
        self._change(self._shelf.intentions.previews.get(preview.id), preview)

    async def plan(self, id: PlanId) -> Plan | None:
        return self._shelf.intentions.plans.get(id)

    async def put_plan(self, plan: Plan) -> None:
        self._own(plan.tenant)
        self._change(self._shelf.intentions.plans.get(plan.id), plan)

    async def plans(self) -> Sequence[Plan]:
        return sorted(self._shelf.intentions.plans.values(), key=lambda plan: (plan.at, plan.id))

    async def remembered(self, key: str) -> Remembered | None:
        return self._shelf.intentions.remembered.get(key)

    async def remember(self, remembered: Remembered) -> None:
        self._change(self._shelf.intentions.remembered.get(remembered.key), remembered)
