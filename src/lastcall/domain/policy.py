"""A tenant's rules: caps, lock-outs, second factors, retention."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from lastcall.domain.attempts import Limit
from lastcall.domain.errors import Conflict
from lastcall.domain.session import Session
from lastcall.domain.types import DAY, HOUR, MINUTE, Duration


class WhenFull(StrEnum):
    REFUSE = "refuse"
    END_OLDEST = "end_oldest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """`sessions_per_subject` 0 means no cap. `retention` is how long tombstones stay.

    `batch` is how many rows one transaction ends at most; what is left of a larger logout is
    refused at once all the same, and ended by the sweep.

    `second_factor_for_others`: ending somebody else's session needs a fresh second factor on
    every wire; a wire that cannot carry one then refuses. `second_person_for_mass`: a mass logout
    waits until somebody else approves it. `preview_life` is how long a preview may be acted on.
    """

    sessions_per_subject: int = 100
    when_full: WhenFull = WhenFull.END_OLDEST
    subject_lockout: Limit = Limit(
        tries=10, window=Duration(5 * MINUTE), lockout=Duration(5 * MINUTE)
    )
    address_lockout: Limit = Limit(
        tries=50, window=Duration(5 * MINUTE), lockout=Duration(5 * MINUTE)
    )
    factor_lockout: Limit = Limit(
        tries=5, window=Duration(5 * MINUTE), lockout=Duration(5 * MINUTE)
    )
    second_factor_for_others: bool = False
    second_person_for_mass: bool = False
    preview_life: Duration = Duration(15 * MINUTE)
    step_up_life: Duration = Duration(5 * MINUTE)
    email_code_life: Duration = Duration(10 * MINUTE)
    email_code_tries: int = 5
    batch: int = 500
    retention: Duration = Duration(7 * DAY + HOUR)


Admission = Callable[[Session, Sequence[Session]], Sequence[Session]]
"""Given a new session and the subject's live ones: which of them must end for it.

Raises `Conflict` when the new one may not start.
"""


def capped(limit: int, when_full: WhenFull) -> Admission:
    """At most `limit` live sessions with the new one; evicts as many of the oldest as it takes."""

    def admit(new: Session, live: Sequence[Session]) -> Sequence[Session]:
        surplus = len(live) + 1 - limit if limit else 0
        if surplus <= 0:
            return ()
        if when_full is WhenFull.REFUSE:
            raise Conflict(f"{limit} sessions are live")
        return sorted(live, key=lambda session: session.serial)[:surplus]

    return admit


def all_of(*rules: Admission) -> Admission:
    """Every rule must admit; what any of them evicts is gone for the next."""

    def admit(new: Session, live: Sequence[Session]) -> Sequence[Session]:
        out: list[Session] = []
        for rule in rules:
            left = [session for session in live if session not in out]
            out.extend(rule(new, left))
        return out

    return admit
