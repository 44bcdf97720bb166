"""What is remembered of how far each node had come, and of how many that are gone."""

from collections.abc import Iterator

from lastcall.domain.logout import Reached as OfNode
from lastcall.domain.logout import Receipt
from lastcall.domain.types import Instant, Serial
from lastcall.index import Changed
from lastcall.stores.postgres.reached import GONE, Reached
from tests.contract.rows import ONE, a_revocation


def ticking() -> Iterator[Instant]:
    return (Instant(at) for at in range(1_000_000))


def a_logout(number: int) -> Changed:
    receipt = Receipt(revocation=a_revocation(Serial(number)), sessions_ended=0, complete=False)
    return Changed(ONE, None, receipt)


def test_of_nodes_that_are_gone_only_the_latest_are_remembered() -> None:
    """One that comes back is as good as it was, and the one asked is never forgotten."""
    ticks = ticking()
    reached = Reached("here", 0, lambda: next(ticks))
    logout = a_logout(1)
    reached.began(1, [logout])
    for number in range(GONE + 3):
        reached.note(f"node-{number:03}", 1)
        reached.lapse(f"node-{number:03}")
        if number == 1:
            reached.note("node-000", 2)
    assert isinstance(logout.after, Receipt)
    told = reached.of(ONE, logout.after.revocation.id)
    kept = [one.node for one in told]
    assert kept == ["here", "node-000", *(f"node-{number:03}" for number in range(3, GONE + 3))]
    assert told[0] == OfNode(node="here", pending=True)
    assert all(one.applied_at is not None for one in told[1:])
