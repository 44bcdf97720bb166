"""What is in doubt, under which number, and until when."""

import asyncio

from lastcall.index import Changed
from lastcall.stores.postgres.doubts import Doubt, Doubts
from tests.contract.rows import GONE, ONE, a_session, hashed

LOGIN = Changed(ONE, None, a_session(1))
RENEWAL = Changed(ONE, a_session(1), a_session(1, token_hash=hashed("new")))
END = Changed(ONE, a_session(1, token_hash=hashed("new")), a_session(1, ended=GONE))
TOKEN = a_session(1).token_hash


def doubted(number: int, *changes: Changed) -> Doubt:
    doubt = Doubt(number)
    doubt.add(changes)
    return doubt


def test_a_change_that_never_was_leaves_the_one_before_it_in_doubt() -> None:
    doubts, never = Doubts(), doubted(2, END)
    doubts.add(doubted(1, RENEWAL))
    doubts.add(never)
    assert doubts.about[TOKEN] == 2
    doubts.drop(never)
    assert doubts.about[TOKEN] == 1
    doubts.settle(1, 1)
    assert not doubts.about
    assert not doubts


def test_what_has_settled_leaves_what_came_since_in_doubt() -> None:
    doubts = Doubts()
    doubts.add(doubted(1, RENEWAL))
    doubts.add(doubted(2, END))
    doubts.settle(2, 1)
    assert doubts.about[TOKEN] == 2
    assert doubts.newest == 2


def test_a_login_is_sure_once_it_is_durable_and_an_end_once_all_know() -> None:
    doubts, login = Doubts(), doubted(2, LOGIN)
    doubts.add(doubted(1, Changed(ONE, a_session(2), a_session(2, ended=GONE))))
    doubts.add(login)
    assert doubts.about[TOKEN] == 2
    doubts.durable(login)
    assert TOKEN not in doubts.about, "though something before it is still in doubt"
    doubts.settle(2, 0)
    assert doubts.newest == 1


async def test_who_waits_is_told_when_all_up_to_there_has_settled() -> None:
    doubts = Doubts()
    for number in (1, 2, 3):
        one, ended = a_session(number), a_session(number, ended=GONE)
        doubts.add(doubted(number, Changed(ONE, one, ended)))
    waiting = [asyncio.create_task(doubts.wait(number)) for number in (0, 1, 2, 3)]
    done = []
    for spread in (0, 1, 2):
        doubts.settle(3, spread)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        done.append([task.done() for task in waiting])
    assert done == [
        [True, False, False, False],
        [True, True, False, False],
        [True, True, True, False],
    ]
    waiting[-1].cancel()
