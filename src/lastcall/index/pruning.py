"""What may be forgotten: tombstones no token outlives, and guesses, codes and receipts long done.

Only age decides, never size: an ended session must stay ended for as long as anybody can ask.
"""

from collections.abc import Iterator
from functools import partial
from itertools import islice

from lastcall.domain.plan import OPEN_PLANS
from lastcall.domain.types import HOUR, Instant, PlanId, PreviewId, ReceiptId, SubjectId
from lastcall.index.held import Held
from lastcall.index.intentions import Intentions
from lastcall.index.shelf import Shelf
from lastcall.index.tables import Fact

LOGIN_AT_MOST = HOUR
"""A revocation also refuses logins that had begun before it, so it is kept this long at least."""


def prunable(shelf: Shelf, ended_before: Instant, now: Instant, limit: int) -> Iterator[Fact]:
    """Up to `limit` rows to remove; whoever does not remove one must put it back."""
    age = shelf.retained = now - ended_before
    graves = shelf.graves.take(now, limit, partial(_tombstone, age))
    yield from (held.passing() for held in graves)
    left = limit - len(graves)
    strikes = shelf.old_strikes.take(now, left, partial(_strikes, shelf, age))
    yield from (shelf.strikes[key] for key in strikes)
    left -= len(strikes)
    codes = shelf.old_codes.take(now, left, partial(_code, shelf))
    yield from (shelf.codes[key] for key in codes)
    left -= len(codes)
    for one in shelf.old_receipts.take(now, left, partial(_receipt, shelf, age, now)):
        rows = list(islice(_with_all_owed(shelf, one), left + 1))
        if len(rows) > left:  # the rest goes the next time, the receipt last
            shelf.old_receipts.add(one, now)
            rows.pop()
        left -= len(rows)
        yield from rows
    intended = shelf.intentions
    previews = intended.old_previews.take(now, left, partial(_preview, intended))
    yield from (intended.previews[one] for one in previews)
    left -= len(previews)
    plans = intended.old_plans.take(now, left, partial(_plan, intended, age, now))
    yield from (intended.plans[one] for one in plans)
    left -= len(plans)
    keys = intended.old_keys.take(now, left, partial(_key, intended, age))
    yield from (intended.remembered[key] for key in keys)


def _tombstone(age: int, held: Held) -> int | None:
    if held.gone or held.ended is None:
        return None
    return max(held.ended.at + age + 1, held.expires)


def _strikes(shelf: Shelf, age: int, key: str) -> int | None:
    strikes = shelf.strikes.get(key)
    if strikes is None:
        return None
    return (
        strikes.locked_until + 1
        if not strikes.count
        else max(strikes.since + age + 1, strikes.locked_until + 1)
    )


def _code(shelf: Shelf, key: tuple[SubjectId, str]) -> int | None:
    code = shelf.codes.get(key)
    return None if code is None else code.expires


def _receipt(shelf: Shelf, age: int, now: Instant, id: ReceiptId) -> int | None:
    """One that still owes something is looked at again an hour later."""
    receipt = shelf.receipts.get(id)
    if receipt is None:
        return None
    if not receipt.complete or shelf.outbox.unsettled[id]:
        return now + HOUR
    return receipt.revocation.at + max(age, LOGIN_AT_MOST) + 1


def _with_all_owed(shelf: Shelf, id: ReceiptId) -> Iterator[Fact]:
    outbox = shelf.outbox
    for delivery in outbox.groups.get(("receipt", id), ()):
        yield from outbox.attempts.get(delivery, ())
        yield outbox.deliveries[delivery]
    yield shelf.receipts[id]


def _preview(intended: Intentions, id: PreviewId) -> int | None:
    preview = intended.previews.get(id)
    return None if preview is None else preview.expires


def _plan(intended: Intentions, age: int, now: Instant, id: PlanId) -> int | None:
    plan = intended.plans.get(id)
    if plan is None:
        return None
    return now + HOUR if plan.state in OPEN_PLANS else plan.start + age + 1


def _key(intended: Intentions, age: int, key: str) -> int | None:
    remembered = intended.remembered.get(key)
    return None if remembered is None else remembered.at + age + 1
