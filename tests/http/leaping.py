"""A loop whose time a test moves on: nothing is waited for, and a slow machine is never late."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec

P = ParamSpec("P")

STEPS = 100


class Leaping(asyncio.SelectorEventLoop):
    """Its clock goes as any, and `ahead` seconds before that."""

    ahead = 0.0

    def time(self) -> float:
        return super().time() + self.ahead


def leaping(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run a test in such a loop."""

    @wraps(test)
    def run(*arguments: P.args, **named: P.kwargs) -> None:
        with asyncio.Runner(loop_factory=Leaping) as runner:
            runner.run(test(*arguments, **named))

    return run


async def passed(seconds: float) -> None:
    """In steps, so that who looks at the clock now and then does so."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, Leaping)
    for _ in range(STEPS):
        loop.ahead += seconds / STEPS
        for _ in range(3):
            await asyncio.sleep(0)
