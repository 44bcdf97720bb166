"""Telling what goes on to whoever collects traces; the usual collector is nobody."""

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from lastcall.domain.types import ReceiptId


class Span(Protocol):
    """One thing that goes on. It is told names, numbers and patterns; never ids or secrets."""

    def named(self, name: str) -> None:
        """What it turned out to be."""
        ...

    def tell(self, key: str, value: str | int) -> None: ...

    def failed(self, what: str) -> None:
        """`what` is a code or a kind of error, never its text."""
        ...


class Tracer(Protocol):
    """The span that is entered last is the parent of the next, within one task.

    `on` is False where nobody listens, so that who has much to tell can leave it.
    """

    @property
    def on(self) -> bool: ...

    def begin(self, name: str, traceparent: str = "") -> AbstractContextManager[Span]:
        """A trace begins here, or goes on from the W3C `traceparent` of who asks."""
        ...

    def step(self, name: str) -> AbstractContextManager[Span]:
        """A part of the current span; of nothing, nothing is told."""
        ...

    def errand(self, logout: ReceiptId, name: str) -> AbstractContextManager[Span]:
        """What is done later for a logout: a part of the span that began it, if that is known."""
        ...

    def began(self, logout: ReceiptId) -> None:
        """The current span is the one that errands of this logout are part of."""
        ...

    def traceparent(self) -> str:
        """The current span, for others to go on from; empty when there is none."""
        ...


class Untold:
    """The span of a tracer that nobody listens to."""

    def named(self, name: str) -> None:
        return None

    def tell(self, key: str, value: str | int) -> None:
        return None

    def failed(self, what: str) -> None:
        return None


UNTOLD: AbstractContextManager[Span] = nullcontext(Untold())


class Untraced:
    """The tracer nobody listens to."""

    on = False

    def begin(self, name: str, traceparent: str = "") -> AbstractContextManager[Span]:
        return UNTOLD

    def step(self, name: str) -> AbstractContextManager[Span]:
        return UNTOLD

    def errand(self, logout: ReceiptId, name: str) -> AbstractContextManager[Span]:
        return UNTOLD

    def began(self, logout: ReceiptId) -> None:
        return None

    def traceparent(self) -> str:
        return ""
