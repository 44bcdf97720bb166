"""Counting guesses, at passwords and codes alike: durable, and taken before they are judged."""

import hashlib
from ipaddress import AddressValueError, IPv6Address, IPv6Network

from lastcall.domain.attempts import Limit, Strikes, forgiven, locked_for, struck, turned_away
from lastcall.domain.errors import LockedOut
from lastcall.domain.types import Instant
from lastcall.ports import Transaction


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


async def give_back(tx: Transaction, key: str) -> None:
    """The attempt was no guess (nothing was judged, or it was right)."""
    before = await tx.strikes(key)
    if before is not None:
        await tx.put_strikes(forgiven(before))
