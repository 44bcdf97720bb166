"""Deliveries: what is owed, and what each try leaves behind."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastcall.domain.client import Ability, AccountRule, Client, Naming, account_at
from lastcall.domain.delivery import Attempt, Delivery, DeliveryState, Outcome, owed
from lastcall.domain.logout import OfTenant
from lastcall.domain.session import Participant
from lastcall.domain.settling import (
    BACKOFF,
    JITTER,
    PATIENCE,
    after,
    claimable,
    claimed,
    redelivered,
)
from lastcall.domain.types import SECOND, ClientId, Duration, Instant, SessionId, later
from tests.domain.samples import TENANT, session
from tests.domain.test_logout import revocation
from tests.world import subject

NOW = Instant(1_000_000)
WIKI = ClientId("wiki")
JOINED = Participant(client=WIKI, sid="sid-1", account="ann@wiki")
ANN = subject("ann", "x", email="ann@example.com")


def client(**changes: Any) -> Client:
    values: dict[str, Any] = {
        "id": WIKI,
        "tenant": TENANT,
        "name": "Wiki",
        "connector": "webhook",
        "created": NOW,
        "changed": NOW,
    }
    return Client(**{**values, **changes})


def due(**changes: Any) -> Delivery:
    made = owed(revocation(OfTenant()), session(), client(), JOINED, "ann")
    return replace(made, created=NOW, next_at=NOW, **changes)


def attempt(outcome: Outcome, **more: Any) -> Attempt:
    values = {"number": 1, "at": NOW, "took": Duration(10), **more}
    return Attempt(delivery=due().id, outcome=outcome, **values)


def test_the_same_logout_owes_one_notice_a_session_or_one_a_user() -> None:
    rule = revocation(OfTenant())
    one, two = session(id=SessionId("s1")), session(id=SessionId("s2"))
    other = replace(JOINED, sid="sid-2")
    by_sid = [owed(rule, s, client(), p, "ann") for s, p in ((one, JOINED), (two, other))]
    assert len({made.id for made in by_sid}) == 2
    assert [made.sid for made in by_sid] == ["sid-1", "sid-2"]
    by_sub = client(naming=Naming.SUB)
    assert owed(rule, one, by_sub, JOINED, "ann").id == owed(rule, two, by_sub, other, "ann").id
    assert owed(rule, one, by_sub, JOINED, "ann").sid == ""
    assert owed(rule, one, client(), JOINED, "ann").id == by_sid[0].id


@pytest.mark.parametrize("change", [{"connector": ""}, {"can": Ability.NONE}, {"enabled": False}])
def test_who_cannot_be_told_is_written_down_with_the_date_it_is_over(
    change: dict[str, Any],
) -> None:
    mute = client(**change)
    made = owed(revocation(OfTenant()), session(), mute, JOINED, "ann")
    assert made.state is DeliveryState.CANNOT_BE_TOLD
    assert made.next_at is None
    assert made.until == made.created + mute.outlives


def test_a_notice_is_due_since_its_logout_however_late_its_session_was_ended() -> None:
    rule = revocation(OfTenant())
    made = owed(rule, session(), client(), JOINED, "ann", later(rule.at, SECOND))
    assert (made.created, made.next_at) == (later(rule.at, SECOND), rule.at)


def test_how_a_subject_is_called_at_a_client() -> None:
    assert account_at(client(), ANN, JOINED, "listed") == "ann@wiki"
    assert account_at(client(), ANN, replace(JOINED, account=""), "listed") == "listed"
    names = [account_at(client(account=rule), ANN) for rule in AccountRule]
    assert names == ["ann", "ann@example.com", "u-ann"]


@pytest.mark.parametrize(
    ("outcome", "dead", "state"),
    [
        (Outcome.DONE, None, DeliveryState.ACKNOWLEDGED),
        (Outcome.DONE, True, DeliveryState.VERIFIED),
        (Outcome.REFUSED, True, DeliveryState.VERIFIED),
        (Outcome.UNKNOWN, True, DeliveryState.VERIFIED),
        (Outcome.REFUSED, None, DeliveryState.REFUSED),
    ],
)
def test_tries_that_settle(outcome: Outcome, dead: bool | None, state: DeliveryState) -> None:
    made = after(due(), attempt(outcome, dead=dead, status=7, error="why"), 0.5)
    assert (made.state, made.next_at, made.settled_at) == (state, None, NOW + 10)
    assert (made.last_status, made.last_error) == (7, "why")


@pytest.mark.parametrize(
    ("outcome", "dead", "state"),
    [
        (Outcome.RETRY, None, DeliveryState.QUEUED),
        (Outcome.UNKNOWN, None, DeliveryState.SENT),
        (Outcome.DONE, False, DeliveryState.QUEUED),
    ],
)
def test_tries_that_are_followed_by_another(
    outcome: Outcome, dead: bool | None, state: DeliveryState
) -> None:
    made = after(due(), attempt(outcome, dead=dead), 0.0)
    assert (made.state, made.next_at) == (state, NOW + 10 + BACKOFF[0])


def test_a_refused_repeat_of_what_may_have_arrived_is_no_failure() -> None:
    lost = after(due(), attempt(Outcome.UNKNOWN), 0.0)
    made = after(lost, attempt(Outcome.REFUSED, status=400), 0.0)
    assert (made.state, made.settled_at) == (DeliveryState.SENT, NOW + 10)


@pytest.mark.parametrize(
    ("outcome", "state"),
    [(Outcome.RETRY, DeliveryState.UNREACHABLE), (Outcome.DONE, DeliveryState.REFUSED)],
)
def test_in_the_end_it_is_given_up_and_that_shows(outcome: Outcome, state: DeliveryState) -> None:
    late = Instant(NOW + PATIENCE)
    made = after(due(), attempt(outcome, at=late, number=99, dead=False), 0.0)
    assert (made.state, made.next_at) == (state, None)
    again = redelivered(made, late)
    assert (again.state, again.next_at, again.settled_at) == (DeliveryState.QUEUED, late, None)
    assert redelivered(replace(made, unknown=True), late).state is DeliveryState.SENT


@given(st.integers(1, 50), st.floats(0, 1, exclude_max=True), st.integers(-(10**9), 10**9))
def test_waits_grow_are_spread_and_follow_only_a_sane_retry_after(
    number: int, chance: float, asked: int
) -> None:
    try_ = attempt(Outcome.RETRY, number=number, retry_after=Duration(asked))
    made = after(due(), try_, chance)
    assert made.next_at is not None
    wait = made.next_at - NOW - 10
    step = BACKOFF[min(number, len(BACKOFF)) - 1]
    assert wait >= step
    assert wait <= max(step * (1 + JITTER), BACKOFF[-1])


def test_a_claim_keeps_others_off_until_it_runs_out_and_then_leaves_a_doubt() -> None:
    made = due()
    assert claimable(made, NOW)
    assert not claimable(made, Instant(NOW - 1))
    held = claimed(made, Instant(NOW + 5))
    assert (held.attempts, held.unknown) == (1, False)
    assert not claimable(held, Instant(NOW + 4))
    assert claimable(held, Instant(NOW + 5))
    assert claimed(held, Instant(NOW + 9)).unknown, "the first worker may have got through"
    assert not claimable(replace(made, next_at=None), NOW)
