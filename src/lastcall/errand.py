"""Errands: the requests one try at a vendor's wire takes, and how their answers are read."""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from json import dumps
from typing import Any
from urllib.parse import quote

import msgspec

from lastcall.domain.delivery import Outcome
from lastcall.domain.types import Duration
from lastcall.outward import Answer, Egress, NoAnswer, Setting, Target, Told, judged
from lastcall.telling import misset

BEARER = re.compile(r"[\x21-\x7e]{1,4096}")
"""What can stand in a header as it is."""

HASTE = 0.25
"""The share of the time left that is given to a look in haste."""


@dataclass(slots=True)
class Errand:
    """The requests of one try; all of them together take no longer than the client's time-out."""

    egress: Egress
    target: Target
    until: float = 0.0

    def __post_init__(self) -> None:
        self.until = self.until or time.monotonic() + self.target.client.timeout / 1000

    def in_haste(self) -> "Errand":
        """In a part of the time left: for a look that must not keep the errand from its end."""
        now = time.monotonic()
        return replace(self, until=now + (self.until - now) * HASTE)

    def value(self, name: str) -> str:
        """A setting or a secret, empty where it is not set."""
        return self.target.settings.get(name) or self.target.secrets.get(name, "")

    async def ask(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        members: object = None,
        ends: bool = False,
    ) -> Answer:
        """One request below the target's `url`. Raises `NoAnswer`.

        Only a request that `ends` something can leave it unknown whether something ended.
        """
        client = self.target.client
        left = Duration(int((self.until - time.monotonic()) * 1000))
        if left <= 0:
            raise NoAnswer("timeout", sent=False)
        sent, body = dict(headers or {}), b""
        if members is not None:
            sent["content-type"], body = "application/json", dumps(members).encode()
        url = self.value("url").rstrip("/") + path
        try:
            return await self.egress.request(
                method, url, headers=sent, body=body, within=left, private=client.private
            )
        except NoAnswer as error:
            raise NoAnswer(error.reason, sent=error.sent and ends) from None

    async def look(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        members: object = None,
    ) -> Answer | None:
        """A request without which the errand is done too; None for no answer."""
        try:
            return await self.ask(method, path, headers=headers, members=members)
        except NoAnswer:
            return None


def object_in(answer: Answer | None) -> Mapping[str, Any]:
    """The body's JSON object; an empty one for any other body."""
    try:
        value = msgspec.json.decode(answer.body) if answer else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def quoted(text: str) -> str:
    """As one segment of a path or one value of a query."""
    return quote(text, safe="", errors="surrogatepass")


def refused(error: str) -> Told:
    """Without having asked."""
    return Told(outcome=Outcome.REFUSED, error=error)


def ruled(answer: Answer, outcome: Outcome, error: str = "") -> Told:
    """What an answer means, where its status alone does not tell. `error` in words of ours."""
    return Told(outcome=outcome, status=answer.status, received=len(answer.body), error=error)


def unclear(answer: Answer, status: int) -> Told:
    """An answer that is not in the vendor's words is judged by its status, but is never a yes."""
    told = judged(replace(answer, status=status))
    if told.outcome is Outcome.DONE:
        return ruled(answer, Outcome.REFUSED, "answer not understood")
    return replace(told, status=answer.status)


def seen(told: Told, dead: bool | None) -> Told:
    """What a look afterwards adds to a yes."""
    return replace(told, dead=dead, error="still alive" if dead is False else told.error)


def problems(target: Target, settings: Sequence[Setting]) -> list[str]:
    """What is wrong with the settings; paths are put after `url`, so it has no query."""
    queried = "?" in target.settings.get("url", "")
    return [
        *misset(target, settings, urls=("url",)),
        *(["url: has a query"] if queried else []),
    ]
