"""What a guard answers: who somebody is, that a token does not count, or that it cannot know."""

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who a token stands for. `impersonator` is who really sits there, if that is not the subject.

    `session` is the session's id, which may be shown. `expires`, in seconds since 1970, is when
    it ends by the authority's clock unless it is used; nothing here is decided by it.
    """

    subject: str
    username: str
    session: str
    tenant: str
    role: str
    dialect: str
    amr: tuple[str, ...] = ()
    impersonator: str | None = None
    expires: int = 0


class Verdict(Enum):
    REFUSED = "refused"
    """The token does not count."""
    UNKNOWN = "unknown"
    """Not to be known from memory: the authority has to be asked."""


class CannotKnow(Exception):
    """The authority gave no answer that could be relied on: nobody is let in, and none is out.

    Not the same as a refusal: whoever asked should be told to try again (503).
    """
