"""The refusals: stable codes for machines, a log-only detail for operators, nothing about HTTP."""

from typing import ClassVar

from lastcall.domain.types import Duration


class AuthorityError(Exception):
    """A refusal or failure every wire knows how to say. `detail` is for logs and audit only."""

    code: ClassVar[str] = "error"

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail or self.code)
        self.detail = detail


class Invalid(AuthorityError):
    """A value that cannot be accepted. `field` and `problem` may be shown to the caller."""

    code = "invalid"

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field} {problem}")
        self.field = field
        self.problem = problem


class NotAuthenticated(AuthorityError):
    """No live session behind what was presented. Unknown, expired and ended are not told apart."""

    code = "not-authenticated"


class BadCredentials(AuthorityError):
    """Unknown subject, wrong password, disabled: one refusal for all.

    `attempts_left` counts down the same way for names that do not exist. `known` says whether an
    enabled account has the name: only for a wire whose setting demands that it be told.
    """

    code = "bad-credentials"

    def __init__(
        self, detail: str = "", *, attempts_left: int | None = None, known: bool = True
    ) -> None:
        super().__init__(detail)
        self.attempts_left = attempts_left
        self.known = known


class LockedOut(AuthorityError):
    """Too many failures from this address or for this name; `retry_after` in milliseconds.

    `first` of those that find the lock: the rest of a flood is counted, and not kept.
    """

    code = "locked-out"

    def __init__(self, detail: str, *, retry_after: Duration, by: str, first: bool = True) -> None:
        super().__init__(detail)
        self.retry_after = retry_after
        self.by = by
        self.first = first


class SecondFactorRequired(AuthorityError):
    """A second factor is due. `method` is the one expected, `available` those enrolled.

    For e-mail, `sent` tells whether a code went out just now and `code_expires` when the code
    that is out ends (milliseconds since the epoch).
    """

    code = "second-factor-required"

    def __init__(
        self,
        method: str,
        available: tuple[str, ...],
        *,
        sent: bool = False,
        code_expires: int | None = None,
        address: str = "",
        username: str = "",
    ) -> None:
        super().__init__(method)
        self.method = method
        self.available = available
        self.sent = sent
        self.code_expires = code_expires
        self.address = address
        self.username = username


class SecondFactorInvalid(SecondFactorRequired):
    """The code given was wrong, used, or too old."""

    code = "second-factor-invalid"


class SecondFactorExhausted(SecondFactorRequired):
    """Too many wrong codes; the next attempt needs a new code or a wait."""

    code = "second-factor-exhausted"


class Denied(AuthorityError):
    """The caller is known and may not. Never raised where it would reveal a foreign target."""

    code = "denied"


class NotFound(AuthorityError):
    """No such target for this caller: unknown, in another tenant, or hidden."""

    code = "not-found"


class Conflict(AuthorityError):
    """A rule about how many sessions may live at once refuses this login."""

    code = "conflict"


class Unfinished(AuthorityError):
    """The receipt still changes, and only one that does not is signed."""

    code = "unfinished"


class Superseded(AuthorityError):
    """A logout or a change of the account overtook this login; nothing was started."""

    code = "superseded"


class Busy(AuthorityError):
    """Too much work of this kind is waiting; `retry_after` in milliseconds."""

    code = "busy"

    def __init__(self, detail: str = "", *, retry_after: Duration = Duration(1_000)) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class StoreUnavailable(AuthorityError):
    """The record could not be written or read: nothing may be claimed either way."""

    code = "store-unavailable"
