"""Counting guesses, at passwords and codes alike: durable, and taken before they are judged.

Counts are the store's, so over all nodes no more guesses are judged than a limit allows. An attempt
that finds a count used up by attempts which are still being judged waits for them, first come first
served; right ones give the count back. It waits for those of its own node alone: where only other
nodes' attempts have used a count up it is refused, as it is for a count that a crash left behind.
"""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from ipaddress import AddressValueError, IPv6Address, IPv6Network
from typing import TypeVar

from lastcall.domain.attempts import Limit, Strikes, forgiven, locked_for, struck, turned_away
from lastcall.domain.errors import LockedOut
from lastcall.domain.types import Instant
from lastcall.ports import Env, Transaction
from lastcall.ports.undecided import Turn

T = TypeVar("T")


def key_of(kind: str, text: str) -> str:
    """`kind` is subject, address or factor; the text itself is not kept."""
    return f"{kind}:{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"


def address_block(address: str) -> str:
    """What counts as one address: an IPv4 address, or the /64 an IPv6 address is in."""
    try:
        return str(IPv6Network((int(IPv6Address(address)) >> 64 << 64, 64)))
    except AddressValueError:
        return address


async def take(tx: Transaction, key: str, now: Instant, limit: Limit) -> Strikes | LockedOut:
    """Count one attempt and return the count, or the refusal when the key is locked.

    The refusal is returned, not raised, so that the caller's transaction still commits.
    """
    before = await tx.strikes(key)
    wait = locked_for(before, now)
    if before is not None and wait:
        noted = turned_away(before, limit)
        if noted is not None:
            await tx.put_strikes(noted)
        kind, first = key.partition(":")[0], noted is not None
        return LockedOut(f"{kind} is locked out", retry_after=wait, by=kind, first=first)
    after = struck(before, key, now, limit)
    await tx.put_strikes(after)
    return after


async def count(
    tx: Transaction, turn: Turn, now: Instant, limits: Mapping[str, Limit]
) -> tuple[Strikes, ...] | LockedOut | None:
    """`take` under each key in turn: all the counts, or the first refusal.

    None when it is too early to say; then nothing is counted, and `turn` knows what to wait for.
    """
    counts: list[Strikes] = []
    for key in limits:
        locked = locked_for(await tx.strikes(key), now) > 0
        if turn.must_wait(key, locked=locked):
            return None
        if locked:
            break
    for key, limit in limits.items():
        taken = await take(tx, key, now, limit)
        if isinstance(taken, LockedOut):
            turn.over()
            return taken
        counts.append(taken)
    turn.counted(*limits)
    return tuple(counts)


async def in_turn(env: Env, turn: Turn, look: Callable[[Transaction], Awaitable[T | None]]) -> T:
    """What `look` finds, in a transaction of its own, once it is not too early to say.

    Raises `Busy` when too many wait already.
    """
    while True:
        async with env.store.transaction(turn.tenant) as tx:
            found = await look(tx)
        if found is not None:
            return found
        await turn.come()


async def give_back(tx: Transaction, taken: Strikes) -> None:
    """The attempt was no guess: nothing was judged, or it was right.

    Nor does this touch what has begun to be counted since it was: that is of later attempts.
    """
    before = await tx.strikes(taken.key)
    if before is not None and before.since == taken.since:
        await tx.put_strikes(forgiven(before))


async def forget(tx: Transaction, taken: Strikes) -> None:
    """The attempt was right: those counted with it are forgotten, again none of later ones."""
    before = await tx.strikes(taken.key)
    if before is not None and before.since == taken.since:
        await tx.clear_strikes(taken.key)
