"""What goes on beside the requests, in turns, and on one node for all of them."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Protocol

from lastcall.authority.due_plans import run_plans
from lastcall.authority.sweep import end_covered, tidy
from lastcall.machine import look_through_new
from lastcall.ports import Env

Work = Callable[[], Awaitable[int]]
"""One turn; how much it has done, 0 when there is nothing."""


class Node(Protocol):
    @property
    def leads(self) -> bool: ...


def works(env: Env, node: Node) -> Mapping[str, Work]:
    """By the names they have in the log."""
    all_of_them = {
        "plans": partial(run_plans, env),
        "mass logouts": partial(end_covered, env),
        "tidying": partial(tidy, env),
    }
    return {name: partial(_if_leading, node, work) for name, work in all_of_them.items()}


async def _if_leading(node: Node, work: Work) -> int:
    if not node.leads:
        return 0
    done = await work()
    if done:
        look_through_new()
    return done
