"""The record: one tenant's data in a transaction, and what is asked across tenants."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from lastcall.domain.attempts import Code, Strikes
from lastcall.domain.audit import Event, Link, Record
from lastcall.domain.client import Client
from lastcall.domain.delivery import Attempt, Delivery, DeliveryId, DeliveryState
from lastcall.domain.logout import Receipt, Revocation, Spread
from lastcall.domain.plan import Plan, Preview, Remembered
from lastcall.domain.session import End, Participant, Session
from lastcall.domain.subject import Subject
from lastcall.domain.types import (
    ClientId,
    DialectName,
    Instant,
    PlanId,
    PreviewId,
    ReceiptId,
    Serial,
    SessionId,
    SubjectId,
    TenantId,
    TokenHash,
)
from lastcall.ports.feed import Feed
from lastcall.ports.observing import Condition, Observer
from lastcall.ports.reading import Era, Found, MustWait, Page, SessionQuery


class Transaction(Protocol):
    """One tenant's data, changed all together or not at all.

    A body must not wait for anything but this transaction's own methods. Leaving it normally
    returns once everything written *and everything read* in it is durable; a body that raises
    changes nothing. No method sees or touches another tenant's rows, whatever id it is given.
    """

    tenant: TenantId

    async def serial(self) -> Serial:
        """The highest serial handed out so far."""
        ...

    async def next_serial(self) -> Serial: ...

    async def subject(self, id: SubjectId) -> Subject | None: ...
    async def subject_named(self, username: str) -> Subject | None:
        """Exact, case and all."""
        ...

    async def subject_with_email(self, email: str) -> Subject | None:
        """Case-insensitive; None also when several share the address."""
        ...

    async def subjects(self, after: str = "", limit: int = 100) -> Sequence[Subject]:
        """By username, those above `after`."""
        ...

    async def add_subject(self, subject: Subject) -> None:
        """Raises `Conflict` when the username is taken."""
        ...

    async def change_subject(self, subject: Subject) -> None:
        """Replace the row of an existing subject; raises `NotFound`."""
        ...

    async def remove_subject(self, id: SubjectId) -> None: ...

    async def add_session(self, session: Session) -> None:
        """Insert; no check anywhere accepts its token before the transaction is durable."""
        ...

    async def session(self, id: SessionId) -> Session | None:
        """The row, ended or not, as last seen."""
        ...

    async def session_with_token(self, token: TokenHash) -> Session | None: ...

    async def unended_of(self, subject: SubjectId) -> Sequence[Session]:
        """The subject's rows that have not been ended; some may be past a deadline."""
        ...

    async def sessions(self, query: SessionQuery) -> Page:
        """All at once; without a subject that takes longer the more rows there are."""
        ...

    async def sessions_below(
        self, below: Serial | None, query: SessionQuery, limit: int
    ) -> tuple[Sequence[Session], Serial | None]:
        """Of up to `limit` rows numbered below `below` (None: of all) those that are asked for,
        newest first, and the number to go on below; None when there are no more.

        The page a query names is not cut out. What one slice costs does not depend on how many
        rows there are.
        """
        ...

    async def live_slice(
        self, first: Serial, below: Serial, at: Instant, limit: int
    ) -> tuple[Sequence[Session], Serial | None]:
        """Of up to `limit` rows numbered from `first` on and below `below` those that count at
        `at`, in order, and the number to go on from; None when there are no more.

        What one slice costs does not depend on how many rows there are.
        """
        ...

    async def session_with_refresh(self, token: TokenHash) -> Session | None:
        """The session whose refresh token this is, or once was (`spent`); ended ones too."""
        ...

    async def renew(self, session: Session) -> Session | None:
        """Write the secrets and factors of a session if it has not ended; None when it has.

        That is token_hash, token_expires, refresh_hash, spent and factors, and nothing else.
        """
        ...

    async def join(self, id: SessionId, participant: Participant) -> Session | None:
        """Add it, or replace the client's entry of the same `sid`; None when ended or unknown."""
        ...

    async def end_session(self, id: SessionId, end: End) -> Session | None:
        """End it if it has not ended: the tombstone, or None when there was nothing to end."""
        ...

    async def end_sessions(self, covered: Revocation, limit: int) -> Sequence[Session]:
        """End up to `limit` of the sessions a revocation ends; the tombstones made just now.

        Fewer, or none, where looking for more or telling of them would take too long at once.
        """
        ...

    async def more_to_end(self, covered: Revocation) -> bool:
        """Whether ending it in this transaction stopped before all it covers was looked at."""
        ...

    async def revoked_before(self, subject: SubjectId, dialect: DialectName) -> Serial:
        """The highest serial of the revocations that would cover a session of these two."""
        ...

    async def covered_by(self, session: Session) -> Serial:
        """The highest serial of the revocations in whose scope this session is."""
        ...

    async def add_revocation(self, revocation: Revocation) -> None:
        """Takes effect for every covered session with this very transaction."""
        ...

    async def receipt(self, id: ReceiptId) -> Receipt | None: ...

    async def progress(self, id: ReceiptId, ended: int, *, complete: bool) -> None:
        """Add `ended` to the receipt's count; `complete` once nothing covered is left."""
        ...

    async def strikes(self, key: str) -> Strikes | None: ...
    async def put_strikes(self, strikes: Strikes) -> None: ...
    async def clear_strikes(self, key: str) -> None: ...

    async def code(self, subject: SubjectId, purpose: str) -> Code | None: ...
    async def put_code(self, code: Code) -> None:
        """The newest code for a subject and purpose is the only one."""
        ...

    async def drop_code(self, subject: SubjectId, purpose: str) -> None: ...

    async def client(self, id: ClientId) -> Client | None: ...
    async def client_named(self, name: str) -> Client | None: ...
    async def clients(self, *, always: bool = False) -> Sequence[Client]:
        """By name: all of them, or those that are told of every ended session."""
        ...

    async def put_client(self, client: Client) -> None:
        """Insert or replace; raises `Conflict` when another one has the name."""
        ...

    async def remove_client(self, id: ClientId) -> None:
        """With the names listed for it; what it is owed stays."""
        ...

    async def account_listed(self, client: ClientId, subject: SubjectId) -> str | None: ...
    async def put_account(self, client: ClientId, subject: SubjectId, account: str) -> None:
        """List the subject's name at the client; an empty one is taken off the list.

        Raises `NotFound` for a client that is not there.
        """
        ...

    async def add_delivery(self, delivery: Delivery) -> bool:
        """False, and nothing changed, when the id exists."""
        ...

    async def delivery(self, id: DeliveryId) -> Delivery | None: ...
    async def put_delivery(self, delivery: Delivery) -> None:
        """Replace an existing one; raises `NotFound`."""
        ...

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
        """By id, those above `after`; no `states` means any."""
        ...

    async def tally(self, receipt: ReceiptId) -> Mapping[tuple[ClientId, DeliveryState], int]:
        """How many of a receipt's deliveries each client has in each state."""
        ...

    async def unsettled(self, receipt: ReceiptId) -> int:
        """How many of a receipt's deliveries are to be tried, or tried again."""
        ...

    async def last_settled(self, receipt: ReceiptId) -> Instant | None:
        """When the latest of a receipt's deliveries settled; None when none has."""
        ...

    async def add_attempt(self, attempt: Attempt) -> None:
        """Raises `NotFound` without its delivery, `Conflict` when the number is taken."""
        ...

    async def attempts(self, delivery: DeliveryId) -> Sequence[Attempt]:
        """In order."""
        ...

    async def preview(self, id: PreviewId) -> Preview | None: ...
    async def put_preview(self, preview: Preview) -> None: ...

    async def plan(self, id: PlanId) -> Plan | None: ...
    async def put_plan(self, plan: Plan) -> None: ...
    async def plans(self) -> Sequence[Plan]:
        """All that are kept, oldest first."""
        ...

    async def remembered(self, key: str) -> Remembered | None: ...
    async def remember(self, remembered: Remembered) -> None: ...

    async def record(self, event: Event) -> None:
        """Append to the audit chain."""
        ...

    async def records(self, after: int = 0, limit: int = 100) -> Sequence[Record]:
        """This tenant's audit records with a higher sequence number, in order."""
        ...

    async def record_of(self, receipt: ReceiptId) -> Record | None:
        """The first audit record that names the receipt: the one of the logout itself."""
        ...

    async def links(self, after: int = 0, limit: int = 100) -> Sequence[Link]:
        """The chain itself, in order; of other tenants' records only what stands for them."""
        ...

    async def head(self) -> tuple[int, bytes]:
        """The chain's last sequence number and digest, whosever record that is."""
        ...

    async def prune(self, ended_before: Instant, now: Instant, limit: int) -> int:
        """Remove up to `limit` rows that are done with; how many went.

        Those are tombstones, stale strikes, dead codes, receipts with all they owed, previews,
        plans and remembered keys. A receipt that still owes something stays.
        """
        ...


class Store(Protocol):
    """The record of truth. Raises `StoreUnavailable` from anything it cannot vouch for."""

    @property
    def feed(self) -> Feed:
        """What became doubtful, for those who remember answers."""
        ...

    def transaction(self, tenant: TenantId) -> AbstractAsyncContextManager[Transaction]: ...

    async def find(self, token: TokenHash) -> Found | None:
        """The check path: reads only, all tenants, and only what is durable.

        Waits when the newest fact about the session is not on disk yet.
        """
        ...

    def peek(self, token: TokenHash) -> Found | MustWait | None:
        """`find` for those who cannot wait: `MUST_WAIT` where it would have to."""
        ...

    @property
    def era(self) -> Era:
        """Always the same object; what `peek` has found holds for as long as its number does."""
        ...

    def touch(self, found: Found, at: Instant) -> None:
        """Remember a use, now in memory and later on disk; only if the session has not ended."""
        ...

    async def unswept(self) -> Sequence[tuple[TenantId, ReceiptId]]:
        """Revocations whose covered rows may not all be ended yet."""
        ...

    async def past_deadline(self, now: Instant, limit: int) -> Sequence[tuple[TenantId, SessionId]]:
        """Sessions not ended yet whose deadline has passed."""
        ...

    on_owed: Callable[[], None] | None
    """Called on the event loop once a delivery that is to be tried, or tried again, is durable."""

    def due(
        self,
        now: Instant,
        *,
        most_of_one: int,
        limit: int,
        but_not: frozenset[ClientId] = frozenset(),
    ) -> Sequence[tuple[TenantId, DeliveryId, ClientId]]:
        """Deliveries to try now, the longest due of a client first, the clients in turns.

        Nothing is taken: whoever tries one claims it in a transaction, and looks again there.
        """
        ...

    def next_due(self, but_not: frozenset[ClientId] = frozenset()) -> Instant | None:
        """When there is something to try, in the past if there is already; None for never."""
        ...

    def outbox_depth(self) -> Mapping[DeliveryState, int]:
        """How many deliveries there are in each state."""
        ...

    def spread(self, receipt: Receipt) -> Spread:
        """How far a logout has come among the nodes on this record."""
        ...

    async def live_sessions(self) -> int:
        """Rows that have not been ended, for figures."""
        ...

    def watch(self, observer: Observer) -> None:
        """Tell it from now on what the store's work costs."""
        ...

    def condition(self) -> Condition:
        """What it holds and how it stands, for figures."""
        ...

    async def close(self) -> None: ...
