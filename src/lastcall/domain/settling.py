"""Settling: what a try means for the delivery, and when the next one is due."""

from dataclasses import replace

from lastcall.domain.delivery import Attempt, Delivery, DeliveryState, Outcome
from lastcall.domain.types import DAY, HOUR, SECOND, Duration, Instant, later

BACKOFF = tuple(Duration(seconds * SECOND) for seconds in (1, 5, 30, 120, 600, 1_800, 3_600))
"""Milliseconds to wait after the first, second, ... try; the last one goes on."""

JITTER = 0.2
"""The share of a wait that chance adds, so that what failed together does not return together."""

PATIENCE = Duration(3 * DAY)
"""How long a notice is tried before it is given up, visibly."""

LONGEST_ASKED = HOUR
"""A `Retry-After` beyond this is not followed."""


def claimable(delivery: Delivery, now: Instant) -> bool:
    due = delivery.next_at is not None and delivery.next_at <= now
    return due and delivery.claimed_until <= now


def claimed(delivery: Delivery, until: Instant) -> Delivery:
    """Taken by one worker for one try. What is not finished by `until` may be taken again."""
    return replace(
        delivery,
        attempts=delivery.attempts + 1,
        claimed_until=until,
        unknown=delivery.unknown or delivery.claimed_until > 0,
    )


def after(
    delivery: Delivery, attempt: Attempt, chance: float, patience: Duration = PATIENCE
) -> Delivery:
    """The delivery once a try has ended. `chance` in [0, 1) spreads the waits.

    An answer that was lost makes the notice `sent`; a refusal of the repeat then proves nothing,
    since the first may have been obeyed, and leaves it `sent`. A receiver that says yes while a
    probe still gets in is tried again, and in the end has refused.
    """
    now = later(attempt.at, attempt.took)
    unknown = delivery.unknown
    if attempt.dead:
        return _tried(delivery, attempt, DeliveryState.VERIFIED, unknown=unknown)
    if attempt.outcome is Outcome.DONE and attempt.dead is None:
        return _tried(delivery, attempt, DeliveryState.ACKNOWLEDGED, unknown=unknown)
    if attempt.outcome is Outcome.REFUSED:
        state = DeliveryState.SENT if unknown else DeliveryState.REFUSED
        return _tried(delivery, attempt, state, unknown=unknown)
    unknown = unknown or attempt.outcome is Outcome.UNKNOWN
    wait = _wait(attempt, chance)
    if now + wait > delivery.created + patience:
        lied = attempt.outcome is Outcome.DONE
        state = DeliveryState.REFUSED if lied else DeliveryState.UNREACHABLE
        return _tried(delivery, attempt, state, unknown=unknown)
    state = DeliveryState.SENT if unknown else DeliveryState.QUEUED
    return _tried(delivery, attempt, state, unknown=unknown, again=later(now, wait))


def _tried(
    delivery: Delivery,
    attempt: Attempt,
    state: DeliveryState,
    *,
    unknown: bool,
    again: Instant | None = None,
) -> Delivery:
    """To be tried `again` then, or settled."""
    return replace(
        delivery,
        state=state,
        next_at=again,
        claimed_until=Instant(0),
        unknown=unknown,
        settled_at=later(attempt.at, attempt.took) if again is None else delivery.settled_at,
        last_status=attempt.status,
        last_error=attempt.error,
    )


def _wait(attempt: Attempt, chance: float) -> Duration:
    step = BACKOFF[min(attempt.number, len(BACKOFF)) - 1]
    wait = int(step * (1 + JITTER * chance))
    asked = attempt.retry_after
    return Duration(max(wait, asked) if 0 < asked <= LONGEST_ASKED else wait)


def redelivered(delivery: Delivery, now: Instant) -> Delivery:
    """Tried again by hand, as if owed from now on; also what had been given up."""
    return replace(
        delivery,
        state=DeliveryState.SENT if delivery.unknown else DeliveryState.QUEUED,
        created=now,
        next_at=now,
        settled_at=None,
    )


def untellable(delivery: Delivery, now: Instant) -> Delivery:
    """The client has been removed or muted since."""
    state = DeliveryState.CANNOT_BE_TOLD
    return replace(delivery, state=state, next_at=None, settled_at=now)


def faulted(delivery: Delivery, now: Instant, why: str) -> Delivery:
    """Given up for a fault of our own: trying it, or writing down how it went, cannot be done."""
    return replace(
        delivery,
        state=DeliveryState.UNREACHABLE,
        next_at=None,
        claimed_until=Instant(0),
        settled_at=now,
        last_error=why,
    )
