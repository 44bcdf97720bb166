"""The way in and out of an attempt to log in: its counts, under its address and its name."""

from dataclasses import dataclass

from lastcall.authority.accounts import called
from lastcall.authority.guesses import address_block, count, forget, give_back, in_turn, key_of
from lastcall.domain.attempts import Limit, Strikes
from lastcall.domain.errors import LockedOut
from lastcall.domain.origin import Origin
from lastcall.domain.subject import Subject
from lastcall.domain.types import Instant, Serial, TenantId
from lastcall.ports import Env, Transaction
from lastcall.ports.undecided import Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An attempt that is counted, or refused: for whom, and under which name's key."""

    subject: Subject | None
    key: str
    taken: tuple[Strikes, ...] | LockedOut
    at: Instant
    as_of: Serial


async def enter(
    env: Env, turn: Turn, origin: Origin, name: str, limit: Limit, *, with_email: bool
) -> Entry:
    """Count the attempt for its address, then for its name. Raises `Busy`.

    Whoever had to wait is looked up again: the account may have changed.
    """
    address = key_of("address", address_block(origin.address))

    async def look(tx: Transaction) -> Entry | None:
        at, as_of = env.clock.now(), await tx.serial()
        subject = await called(tx, name, with_email=with_email)
        key = key_of("subject", subject.username if subject else name)
        limits = {address: env.policy(turn.tenant).address_lockout, key: limit}
        taken = await count(tx, turn, at, limits)
        if taken is None:
            return None
        return Entry(subject=subject, key=key, taken=taken, at=at, as_of=as_of)

    return await in_turn(env, turn, look)


async def leave(
    env: Env, tenant: TenantId, taken: tuple[Strikes, ...], *, right: bool = False
) -> None:
    """It was no guess. Who is `right` about all there is to prove has the name's forgotten, too.

    At once: between the two an attempt more could be counted than one after another.
    """
    async with env.store.transaction(tenant) as tx:
        for one in taken:
            await give_back(tx, one)
        if right:
            await forget(tx, taken[-1])
