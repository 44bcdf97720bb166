"""Everything that is counted, as plain numbers; made into Prometheus' words only when asked for."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import product

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from lastcall.domain.audit import Action, Event, Outcome
from lastcall.domain.client import Client
from lastcall.domain.delivery import Attempt, Delivery, DeliveryState
from lastcall.domain.errors import AuthorityError
from lastcall.domain.logout import Receipt
from lastcall.domain.session import State
from lastcall.domain.tally import WELL
from lastcall.domain.types import SECOND, Duration, Instant
from lastcall.metrics.families import Labels, by_one, counter, histogram, plain
from lastcall.metrics.standing import Standing
from lastcall.metrics.tallies import COARSE, LONG, REQUESTS, RouteTally, Tally
from lastcall.metrics.work import StoreWork

CONTENT_TYPE = CONTENT_TYPE_LATEST
UNDER_WAY = 10_000
"""Logouts whose request has not been answered yet; of more than these the oldest are not timed."""

CHECKED = (*State, "disabled", "unknown", "failed")


class Metrics(Collector):
    """Every label has a small, fixed set of values: routes are patterns, and nobody is named.

    `checks` counts looked-up tokens by what was found; `standing` is what is asked for at each
    scrape, and `work` what the store tells by itself. `folds` are called before a page is made,
    by those who count for themselves, to add what they have.
    """

    def __init__(self) -> None:
        self.folds: list[Callable[[], None]] = []
        self.work = StoreWork()
        self.standing = Standing()
        self.checks: dict[str, int] = dict.fromkeys(CHECKED, 0)
        self._routes: dict[tuple[str, str], RouteTally] = {}
        self._refusals: Counter[Labels] = Counter()
        self._audited: Counter[Labels] = Counter(dict.fromkeys(product(Action, Outcome), 0))
        self._tries: Counter[Labels] = Counter()
        self._logouts: dict[Labels, Tally] = {}
        self._told: dict[Labels, Tally] = {}
        self._everywhere = {(word,): Tally(LONG) for word in ("everyone", "not_everyone")}
        self._under_way: dict[str, None] = {}
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        self._registry.register(self)

    def route(self, dialect: str, route: str) -> RouteTally:
        """The tally of a route, to be kept by who answers there often."""
        key = (dialect, route)
        tally = self._routes.get(key)
        if tally is None:
            tally = self._routes[key] = RouteTally()
        return tally

    def watch_queue(self, waiting: Callable[[], int]) -> None:
        """Ask this, at every scrape, how many passwords are waiting."""
        self.standing.queue = waiting

    def record(self, event: Event) -> None:
        """For the event of every audit record the store has made durable."""
        self._audited[event.action, event.outcome] += 1
        ended = event.action is Action.LOGOUT and event.outcome is Outcome.DONE
        if ended and event.origin.request_id:
            self._under_way[event.origin.request_id] = None
            if len(self._under_way) > UNDER_WAY:
                del self._under_way[next(iter(self._under_way))]

    def tried(self, client: Client, delivery: Delivery, attempt: Attempt) -> None:
        """For every try the outbox has written down."""
        self._tries[client.connector, attempt.outcome] += 1
        if delivery.settled_at is not None and delivery.state in WELL:
            seconds = (delivery.settled_at - delivery.created) / SECOND
            _note(self._told, (client.connector, delivery.state), seconds, LONG)

    def finished(self, receipt: Receipt, at: Instant, *, well: bool) -> None:
        """For every logout of which the last notice has been settled."""
        word = "everyone" if well else "not_everyone"
        self._everywhere[word,].note(max(0, at - receipt.revocation.at) / SECOND)

    def show_outbox(self, depth: Mapping[DeliveryState, int], overdue: Duration) -> None:
        self.standing.outbox = {state: depth.get(state, 0) for state in DeliveryState}
        self.standing.overdue = overdue / SECOND

    def answered(
        self,
        dialect: str,
        route: str,
        status: int,
        seconds: float,
        refused: AuthorityError | None,
        request_id: str,
    ) -> None:
        self.route(dialect, route).answered(status, seconds)
        if refused is not None:
            self._refusals[dialect, refused.code] += 1
        if request_id in self._under_way:
            del self._under_way[request_id]
            _note(self._logouts, (dialect,), seconds, COARSE)

    def page(self) -> bytes:
        for fold in self.folds:
            fold()
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        yield from self._of_requests()
        yield counter("checks", "Tokens looked up, by outcome.", ("outcome",), by_one(self.checks))
        yield counter(
            "audit_events", "Audit records.", ("action", "outcome"), list(self._audited.items())
        )
        yield from self._of_notices()
        yield from self.work.families()
        yield from self.standing.families()

    def _of_requests(self) -> Iterator[Metric]:
        names, times, checks = ("dialect", "route"), "request_seconds", "check_seconds"
        routes = list(self._routes.items())
        statuses = [
            ((*words, str(status)), float(count))
            for words, tally in routes
            for status, count in list(tally.statuses.items())
        ]
        tallies = [(words, tally.times) for words, tally in routes]
        checked = [(words, tally.times) for words, tally in routes if tally.check]
        yield counter("requests", "Requests answered.", (*names, "status"), statuses)
        text = "Time from a request's head to its answer."
        yield histogram(times, text, names, tallies, REQUESTS)
        yield histogram(checks, "Time of the requests that check a token.", names, checked)
        text = "Time of the requests that ended sessions."
        yield histogram("logout_seconds", text, ("dialect",), list(self._logouts.items()))
        refusals = list(self._refusals.items())
        yield counter("refusals", "Requests refused.", ("dialect", "code"), refusals)

    def _of_notices(self) -> Iterator[Metric]:
        text, tries = "Tries to tell an application.", list(self._tries.items())
        yield counter("deliveries", text, ("connector", "outcome"), tries)
        text = "Time from a logout to an application's word, or a probe's, that it is done there."
        told = list(self._told.items())
        yield histogram("logged_out_seconds", text, ("connector", "state"), told)
        text = "Time from a logout until the last of its notices was settled."
        everywhere = self._everywhere.items()
        yield histogram("logged_out_everywhere_seconds", text, ("outcome",), everywhere)
        yield plain("ready", "1 while requests are welcome.", self.standing.ready)


def _note(
    tallies: dict[Labels, Tally], words: Labels, seconds: float, bounds: tuple[float, ...]
) -> None:
    tally = tallies.get(words)
    if tally is None:
        tally = tallies[words] = Tally(bounds)
    tally.note(seconds)
