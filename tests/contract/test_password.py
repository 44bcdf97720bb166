"""Argon2 passwords: what they cost, what they refuse, and whom they keep waiting."""

import asyncio
import statistics
import time
from collections.abc import Iterator

import pytest

from lastcall.authenticators.password import Argon2Passwords
from lastcall.domain.errors import Busy
from lastcall.domain.token import digest_password
from tests.contract.authenticator import PasswordsContract
from tests.contract.gates import turns

pytestmark = pytest.mark.slow

DIGEST = digest_password("Admin_1234")


def cheap(workers: int = 1, queue: int = 64) -> Argon2Passwords:
    return Argon2Passwords(memory_kib=64, iterations=1, workers=workers, queue=queue)


def dear(workers: int = 1, queue: int = 64) -> Argon2Passwords:
    """Some tenths of a second each, so that queues form."""
    return Argon2Passwords(memory_kib=64 * 1024, iterations=3, workers=workers, queue=queue)


class TestArgon2(PasswordsContract):
    @pytest.fixture
    def passwords(self) -> Iterator[Argon2Passwords]:
        passwords = cheap()
        yield passwords
        passwords.close()


async def test_the_default_cost_is_what_the_reference_says() -> None:
    passwords = Argon2Passwords()
    assert (await passwords.hash(DIGEST)).startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    passwords.close()


async def test_salts_differ() -> None:
    passwords = cheap()
    assert await passwords.hash(DIGEST) != await passwords.hash(DIGEST)
    passwords.close()


async def test_a_hash_of_another_cost_still_verifies() -> None:
    old, new = cheap(), Argon2Passwords(memory_kib=256, iterations=2, lanes=2)
    encoded = await old.hash(DIGEST)
    assert await new.verify(encoded, DIGEST)
    assert not await new.verify(encoded, digest_password("x"))
    old.close()
    new.close()


@pytest.mark.slow
async def test_an_unknown_name_costs_what_a_known_one_does() -> None:
    passwords = Argon2Passwords()
    encoded = await passwords.hash(DIGEST)
    known, unknown = [], []
    for _ in range(15):
        known.append(await timed(passwords, encoded))
        unknown.append(await timed(passwords, ""))
    passwords.close()
    assert 0.6 < statistics.median(known) / statistics.median(unknown) < 1.7


async def timed(passwords: Argon2Passwords, encoded: str) -> float:
    """Of the processor: how long it takes says more about what else the machine does."""
    start = time.process_time()
    assert not await passwords.verify(encoded, digest_password("wrong"))
    return time.process_time() - start


async def test_what_finds_no_place_is_busy_and_told_when_to_return() -> None:
    passwords = dear(workers=1, queue=1)
    asked = [asyncio.create_task(passwords.hash(DIGEST)) for _ in range(5)]
    await asyncio.sleep(0)
    assert passwords.waiting == 2
    answers = await asyncio.gather(*asked, return_exceptions=True)
    busy = [answer for answer in answers if isinstance(answer, Busy)]
    assert len(busy) == 3
    assert all(refusal.retry_after > 0 for refusal in busy)
    assert await passwords.verify(await passwords.hash(DIGEST), DIGEST)
    passwords.close()


async def test_callers_that_go_away_leave_no_place_taken() -> None:
    passwords = dear(workers=1, queue=3)
    for _ in range(3):
        asked = [asyncio.create_task(passwords.hash(DIGEST)) for _ in range(4)]
        await turns()
        for task in asked:
            task.cancel()
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert all(isinstance(answer, asyncio.CancelledError) for answer in answers)
        waiting = [asyncio.create_task(passwords.hash(DIGEST)) for _ in range(3)]
        assert all(await asyncio.gather(*waiting))
    passwords.close()


@pytest.mark.slow
async def test_the_loop_goes_on_during_a_storm() -> None:
    passwords = dear(workers=1, queue=20)
    storm = [asyncio.create_task(passwords.verify("", DIGEST)) for _ in range(12)]
    rounds = 0
    while not all(task.done() for task in storm):
        await asyncio.sleep(0.001)
        rounds += 1
    passwords.close()
    assert rounds > 2 * len(storm), "it did not stand still for as long as each of them takes"


async def test_closed_it_takes_nothing_more() -> None:
    passwords = cheap()
    passwords.close()
    with pytest.raises(Busy):
        await passwords.verify("", DIGEST)
