"""What every Applications must do; the real one and the fake subclass this."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from lastcall.domain.client import Client
from lastcall.domain.delivery import Outcome
from lastcall.domain.types import ClientId, Duration, Instant
from lastcall.ports import Applications
from tests.world import TENANT


@dataclass(frozen=True, kw_only=True)
class Known:
    """Settings of a webhook that answers well, of one nobody listens at, and of one that is odd."""

    good: Mapping[str, str]
    dead: Mapping[str, str]
    odd: Mapping[str, str]
    secrets: Mapping[str, str]


def client(known: Known, settings: Mapping[str, str], connector: str = "webhook") -> Client:
    return Client(
        id=ClientId("c_1"),
        tenant=TENANT,
        name="app",
        connector=connector,
        settings=settings,
        secrets=known.secrets,
        timeout=Duration(30_000),
        private=True,
        created=Instant(0),
        changed=Instant(0),
    )


class ApplicationsContract(ABC):
    @abstractmethod
    @pytest.fixture
    def applications(self) -> Applications: ...

    @abstractmethod
    @pytest.fixture
    def known(self) -> Known: ...

    def test_settings_that_will_do(self, applications: Applications, known: Known) -> None:
        assert applications.problems(client(known, known.good)) == []
        assert applications.problems(client(known, known.dead)) == []

    def test_what_is_wrong_begins_with_where(
        self, applications: Applications, known: Known
    ) -> None:
        for one in (client(known, known.odd), client(known, known.good, "pigeon")):
            (problem,) = applications.problems(one)
            where, colon, text = problem.partition(": ")
            assert (where.isidentifier(), colon, bool(text)) == (True, ": ", True)

    async def test_one_that_answers(self, applications: Applications, known: Known) -> None:
        trial = await applications.test(client(known, known.good))
        assert (trial.outcome, trial.error) == (Outcome.DONE, "")
        assert 200 <= trial.status < 300

    async def test_one_that_is_down(self, applications: Applications, known: Known) -> None:
        trial = await applications.test(client(known, known.dead))
        assert (trial.outcome, trial.status, trial.error) == (Outcome.RETRY, 0, "connect")
