"""Figures for Prometheus: how much, how fast and with what outcome; never who."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

from lastcall.domain.audit import Action, Event, Outcome
from lastcall.domain.client import Client
from lastcall.domain.delivery import Attempt, Delivery, DeliveryState
from lastcall.domain.errors import AuthorityError, StoreUnavailable
from lastcall.domain.session import State, state_of, token_counts
from lastcall.domain.types import SECOND, Duration, TokenHash
from lastcall.ports import Clock, Found, Store

TOLD = frozenset({DeliveryState.ACKNOWLEDGED, DeliveryState.VERIFIED})
CONTENT_TYPE = CONTENT_TYPE_LATEST
UNDER_WAY = 10_000
"""Logouts whose request has not been answered yet; more are not timed."""

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """Every label has a small, fixed set of values: routes are patterns, and nobody is named."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.requests = self._counter(
            "requests", "Requests answered.", ("dialect", "route", "status")
        )
        self.seconds = self._histogram(
            "request_seconds", "Time from a request's head to its answer.", ("dialect", "route")
        )
        self.logouts = self._histogram(
            "logout_seconds", "Time of the requests that ended sessions.", ("dialect",)
        )
        self.checks = self._counter("checks", "Tokens looked up, by what was found.", ("outcome",))
        self.refusals = self._counter("refusals", "Requests refused.", ("dialect", "code"))
        self.audited = self._counter("audit_events", "Audit records.", ("action", "outcome"))
        self.tries = self._counter(
            "deliveries", "Tries to tell an application.", ("connector", "outcome")
        )
        self.told = self._histogram(
            "logged_out_seconds",
            "Time from a logout to an application's word, or a probe's, that it is done there.",
            ("connector", "state"),
        )
        self.outbox = Gauge(
            "lastcall_outbox",
            "Deliveries by state.",
            ("state",),
            registry=self.registry,
        )
        self.overdue = self._gauge(
            "outbox_overdue_seconds", "How long the oldest due delivery has been waiting."
        )
        self.live = self._gauge("sessions_live", "Sessions that have not been ended.")
        self.queue = self._gauge("login_queue", "Passwords being checked or waiting for it.")
        self.ready = self._gauge("ready", "1 while requests are welcome.")
        self._logouts: set[str] = set()

    def watch_queue(self, waiting: Callable[[], int]) -> None:
        """Ask this, at every scrape, how many passwords are waiting."""
        self.queue.set_function(waiting)

    def record(self, event: Event) -> None:
        """For the event of every audit record the store has made durable."""
        self.audited.labels(event.action, event.outcome).inc()
        ended = event.action is Action.LOGOUT and event.outcome is Outcome.DONE
        if ended and event.origin.request_id and len(self._logouts) < UNDER_WAY:
            self._logouts.add(event.origin.request_id)

    def tried(self, client: Client, delivery: Delivery, attempt: Attempt) -> None:
        """For every try the outbox has written down."""
        self.tries.labels(client.connector, attempt.outcome).inc()
        if delivery.settled_at is not None and delivery.state in TOLD:
            seconds = (delivery.settled_at - delivery.created) / SECOND
            self.told.labels(client.connector, delivery.state).observe(seconds)

    def show_outbox(self, depth: Mapping[DeliveryState, int], overdue: Duration) -> None:
        for state in DeliveryState:
            self.outbox.labels(state).set(depth.get(state, 0))
        self.overdue.set(overdue / SECOND)

    def answered(
        self,
        dialect: str,
        route: str,
        status: int,
        seconds: float,
        refused: AuthorityError | None,
        request_id: str,
    ) -> None:
        self.requests.labels(dialect, route, status).inc()
        self.seconds.labels(dialect, route).observe(seconds)
        if refused is not None:
            self.refusals.labels(dialect, refused.code).inc()
        if request_id in self._logouts:
            self._logouts.discard(request_id)
            self.logouts.labels(dialect).observe(seconds)

    def page(self) -> bytes:
        return generate_latest(self.registry)

    def _counter(self, name: str, text: str, labels: Sequence[str]) -> Counter:
        return Counter(f"lastcall_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(f"lastcall_{name}", text, registry=self.registry)

    def _histogram(self, name: str, text: str, labels: Sequence[str]) -> Histogram:
        return Histogram(f"lastcall_{name}", text, labels, registry=self.registry, buckets=BUCKETS)


def counted(store: Store, clock: Clock, metrics: Metrics) -> Store:
    """The same store, whose token look-ups are counted by what they found."""
    return cast(Store, _CountedStore(store, clock, metrics))


class _CountedStore:
    """Answers `find` itself; everything else is asked of the store, whatever it learns to do."""

    def __init__(self, store: Store, clock: Clock, metrics: Metrics) -> None:
        self._store = store
        self._clock = clock
        self._checks = metrics.checks

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def find(self, token: TokenHash) -> Found | None:
        try:
            found = await self._store.find(token)
        except StoreUnavailable:
            self._checks.labels("failed").inc()
            raise
        self._checks.labels(self._outcome(found)).inc()
        return found

    def _outcome(self, found: Found | None) -> str:
        """`unknown`, `disabled`, or the state of the session: live, ended, revoked, idle, ..."""
        if found is None:
            return "unknown"
        if not found.subject.enabled:
            return "disabled"
        now = self._clock.now()
        state = state_of(found.session, now, found.revoked_before)
        stale = state is State.LIVE and not token_counts(found.session, now)
        return State.EXPIRED if stale else state
