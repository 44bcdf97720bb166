"""The web server as it is stopped: it finishes what is under way, and closes nothing else."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
import uvicorn

from lastcall.domain.errors import StoreUnavailable
from lastcall.http.app import Asgi
from lastcall.http.facts import Readiness
from lastcall.http.fast import uvicorn_options

log = structlog.stdlib.get_logger("main")

BACKLOG = 2_048


class Draining(uvicorn.Server):
    """Uvicorn, told to stop by a signal or by the store; it finishes what is under way."""

    def __init__(self, app: Asgi, state: Readiness, seconds: int) -> None:
        options = uvicorn_options()
        super().__init__(
            uvicorn.Config(app, timeout_graceful_shutdown=seconds, backlog=BACKLOG, **options)
        )
        self.gave_up = False
        self._state = state

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Without raising the signal again at the end: there is still a store to close."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop, number)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    def give_up(self, error: StoreUnavailable) -> None:
        """The store failed: nothing can be vouched for any more, and only a restart helps."""
        self.gave_up = True
        self._state.draining = True
        self.should_exit = True
        log.critical("the store failed, stopping", detail=error.detail)

    def _stop(self, number: int) -> None:
        self._state.draining = True
        self.force_exit = self.should_exit
        self.should_exit = True
        log.info("stopping", signal=signal.Signals(number).name)
