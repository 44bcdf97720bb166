"""Trials: how an application answers when nothing is at stake."""

from dataclasses import dataclass

from lastcall.domain.delivery import Outcome
from lastcall.domain.types import Duration


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What an application answered to a notice that can end nothing; `took` in milliseconds."""

    outcome: Outcome
    status: int = 0
    received: int = 0
    took: Duration = Duration(0)
    error: str = ""


MEANINGS = {
    "connect": "nothing answers there: is it running, and is the address right?",
    "timeout": "no answer within its timeout",
    "tls": "its certificate is not one that is trusted, or not for that name",
    "address": "the address may not be used: only public ones, unless it is marked private",
    "redirect": "it sends elsewhere, and redirects are not followed",
    "too-large": "its answer is larger than is read",
    "lost": "the connection broke before the answer was whole",
    "protocol": "what came back is not HTTP",
    "cannot be told": "it has no connector, or says that it cannot be told",
}


def explained(trial: Trial) -> str:
    """What the answer means, for a person."""
    if trial.outcome is Outcome.DONE:
        return "it takes notices"
    if trial.status in (401, 403):
        return "it does not accept our credentials or our signature"
    if trial.status in (404, 405, 410):
        return "there is something, but not what takes notices: is the path right?"
    if 300 <= trial.status < 400:
        return MEANINGS["redirect"]
    if trial.status >= 500 or (trial.outcome is Outcome.RETRY and trial.status):
        return "it is there, but cannot take notices just now"
    return MEANINGS.get(trial.error, "it refuses notices as they are")
