"""A way out that answers from a list, for what our own dialects never say."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lastcall.domain.types import Duration
from lastcall.outward import Answer, NoAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    within: Duration


def said(status: int, body: object = b"", took: int = 0, **headers: str) -> Answer:
    """Anything but bytes becomes JSON; underscores in header names become hyphens.

    `took` in milliseconds.
    """
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status=status, headers=named, body=content, took=Duration(took))


@dataclass
class Script:
    """Gives its answers one after the other, the last one for good."""

    answers: Sequence[Answer | NoAnswer]
    asked: list[Asked] = field(default_factory=list)

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        within: Duration,
        private: bool = False,
    ) -> Answer:
        self.asked.append(
            Asked(method=method, url=url, headers=headers or {}, body=body, within=within)
        )
        answer = self.answers[min(len(self.asked), len(self.answers)) - 1]
        if isinstance(answer, NoAnswer):
            raise answer
        if answer.took:
            await asyncio.sleep(answer.took / 1000)
        return answer
