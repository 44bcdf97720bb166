"""Guessing: how failures add up to a lock-out, and the one-time codes that are out."""

from dataclasses import dataclass, replace

from lastcall.domain.types import Duration, Instant, SubjectId


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """After `tries` failures within `window` the key is locked for `lockout`; 0 tries: no limit."""

    tries: int
    window: Duration
    lockout: Duration


@dataclass(frozen=True, slots=True, kw_only=True)
class Strikes:
    """The failures counted against one key since `since`. Keys hold no names and no secrets."""

    key: str
    count: int
    since: Instant
    locked_until: Instant = Instant(0)


def locked_for(strikes: Strikes | None, now: Instant) -> Duration:
    """How long the key is still locked; 0 when it is not."""
    return Duration(0 if strikes is None else max(0, strikes.locked_until - now))


def struck(before: Strikes | None, key: str, now: Instant, limit: Limit) -> Strikes:
    """Count one attempt *before* it is judged, so that parallel guesses cannot share a count.

    The attempt that reaches the limit is still judged; those after it find the key locked.
    """
    if before is None or now - before.since >= limit.window or locked_out_once(before, now):
        before = Strikes(key=key, count=0, since=now)
    count = before.count + 1
    locked = now + limit.lockout if limit.tries and count >= limit.tries else 0
    return Strikes(key=key, count=count, since=before.since, locked_until=Instant(locked))


def turned_away(strikes: Strikes, limit: Limit) -> Strikes | None:
    """The count once somebody has found the key locked; None when somebody had before."""
    if strikes.count > limit.tries:
        return None
    return replace(strikes, count=limit.tries + 1)


def locked_out_once(strikes: Strikes, now: Instant) -> bool:
    """Whether a lock-out has been served: counting begins anew."""
    return 0 < strikes.locked_until <= now


def forgiven(strikes: Strikes) -> Strikes:
    """Take one attempt back: it turned out not to be a guess."""
    count = max(0, strikes.count - 1)
    return Strikes(key=strikes.key, count=count, since=strikes.since)


def tries_left(strikes: Strikes, limit: Limit) -> int | None:
    return max(0, limit.tries - strikes.count) if limit.tries else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """A one-time code that is out: for one subject and one purpose, keyed-hashed, few tries."""

    subject: SubjectId
    purpose: str
    mac: str
    expires: Instant
    tries_left: int
