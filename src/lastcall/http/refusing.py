"""The short way to refuse: what the handler says to a known token that does not count, kept.

After a mass logout everybody comes back with such a token; see docs/adr/0022.
"""

from time import perf_counter
from typing import Any

import structlog

from lastcall.domain.errors import AuthorityError, NotAuthenticated
from lastcall.domain.types import DialectName, TenantId
from lastcall.http.facts import Readiness
from lastcall.http.head import RequestIds
from lastcall.http.replies import Headers, safe, written
from lastcall.metrics import Metrics, outcome_of
from lastcall.ports import Clock
from lastcall.wire import Refusing

log = structlog.stdlib.get_logger("http")

HIGHEST = 2**32 - 1
"""The number of the last request whose id is as long as all before it."""


class Refusal:
    """Of one route at one host. It is counted and logged as every refusal is."""

    __slots__ = (
        "_clock",
        "_defaults",
        "_dialect",
        "_figures",
        "_ids",
        "_log",
        "_path",
        "_pieces",
        "_refusing",
        "_state",
        "_status",
        "_tenant",
    )

    def __init__(
        self,
        refusing: Refusing,
        *,
        clock: Clock,
        ids: RequestIds,
        state: Readiness,
        figures: Metrics,
        dialect: DialectName,
        path: str,
        tenant: TenantId,
    ) -> None:
        self._refusing = refusing
        self._clock = clock
        self._ids = ids
        self._state = state
        self._figures = figures
        self._dialect = dialect
        self._path = path
        self._tenant = tenant
        self._defaults: Headers | None = None
        self._pieces: list[bytes] = []
        self._status = 0
        self._log: Any = log.bind()

    def answer(self, token: bytes, defaults: Headers, address: str) -> bytes | None:
        """The whole answer to whoever is at that address; None where only the handler can tell.

        `defaults` as for a good answer.
        """
        began = perf_counter()
        ids = self._ids
        if self._state.draining or ids.number >= HIGHEST:
            return None
        try:
            found = self._refusing.found(token)
        except AuthorityError:
            return None
        except Exception as error:
            log.error("failed", lane="fast", exc_info=error)
            return None
        if found is None:
            return None
        if defaults is not self._defaults:
            self._defaults, self._pieces = defaults, self._written(defaults)
        request = ids.next()
        answer = request.encode().join(self._pieces)
        figures, refused = self._figures, NotAuthenticated()
        figures.checks[outcome_of(found, self._clock.now())] += 1
        seconds = perf_counter() - began
        figures.answered(self._dialect, self._path, self._status, seconds, refused, request)
        self._log.info(
            "request",
            method="GET",
            path=self._path,
            query="",
            status=self._status,
            ms=round(seconds * 1000, 1),
            dialect=self._dialect,
            tenant=self._tenant,
            request=request,
            address=address,
            refused=refused.code,
        )
        return answer

    def _written(self, defaults: Headers) -> list[bytes]:
        """As the lane writes it, in pieces between which the request's id belongs."""
        nobody = f"{self._ids.prefix}{0:08x}"  # no request has it
        reply = safe(self._refusing.reply(nobody), ("X-Request-Id", nobody))
        self._status = reply.status
        answer, _ = written(reply, defaults, keep_alive=True)
        return answer.split(nobody.encode())
