"""What every connector must do, whatever its wire; each is held to it over real HTTP."""

import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from lastcall.connectors import CONNECTORS
from lastcall.domain.delivery import Outcome
from lastcall.domain.types import Duration
from lastcall.egress import HttpEgress
from lastcall.outward import Connector, NoAnswer, Notice, Target, Told, unanswered
from tests.connectors.making import Names, notice, target
from tests.connectors.receivers import Behaviour, Liar, answers, liars, receiver
from tests.fakes import FakeSigner

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
PAGES = ("connectors.md", "connectors-vendors.md")
CANARY = "canary-in-the-answer"
SECRETIVE = "canary-in-the-settings"

LIARS = liars()


async def told(connector: Connector, whom: Target, what: Notice) -> Told:
    """As the outbox asks."""
    try:
        return await connector.tell(whom, what)
    except NoAnswer as error:
        return unanswered(error)


class ConnectorContract(ABC):
    """`settings` and `secrets` are those of a client whose receiver listens at a URL."""

    name: str

    @abstractmethod
    def settings(self, url: str) -> Mapping[str, str]: ...

    def secrets(self) -> Mapping[str, str]:
        return {}

    def what(self) -> Notice:
        """One that this wire can put into words."""
        return notice()

    def whom(self, url: str, **more: object) -> Target:
        return target(self.name, self.settings(url), self.secrets(), **more)

    @pytest.fixture
    async def egress(self) -> AsyncIterator[HttpEgress]:
        way = HttpEgress(look_up=Names())
        yield way
        await way.close()

    @pytest.fixture
    def connector(self, egress: HttpEgress) -> Connector:
        return CONNECTORS[self.name](egress, FakeSigner())

    def test_it_goes_by_its_name(self, connector: Connector) -> None:
        assert connector.name == self.name
        names = [one.name for one in connector.settings]
        assert len(set(names)) == len(names)

    def test_it_is_documented(self, connector: Connector) -> None:
        text = "".join((REFERENCE / page).read_text(encoding="utf-8") for page in PAGES)
        assert f"`{self.name}`" in text
        for one in connector.settings:
            assert f"`{one.name}`" in text, one.name

    def test_a_good_target_has_no_problems(self, connector: Connector) -> None:
        assert list(connector.problems(self.whom("http://127.0.0.1:8080"))) == []

    def test_what_is_missing_is_named(self, connector: Connector) -> None:
        good = self.whom("http://127.0.0.1:8080")
        for one in connector.settings:
            if not one.required:
                continue
            settings = {k: v for k, v in good.settings.items() if k != one.name}
            secrets = {k: v for k, v in good.secrets.items() if k != one.name}
            lacking = target(self.name, settings, secrets)
            assert any(one.name in problem for problem in connector.problems(lacking)), one.name

    def test_what_is_unknown_is_named_and_no_value_repeated(self, connector: Connector) -> None:
        good = self.whom("http://127.0.0.1:8080")
        settings = {**good.settings, "colour": SECRETIVE}
        secrets = {**good.secrets, "flavour": SECRETIVE}
        problems = connector.problems(target(self.name, settings, secrets))
        assert any("colour" in one for one in problems)
        assert any("flavour" in one for one in problems)
        assert SECRETIVE not in "".join(problems)

    def test_only_a_private_client_may_be_reached_inside(self, connector: Connector) -> None:
        for url in ("http://127.0.0.1:8080", "https://127.0.0.1:8443", "https://10.0.0.1"):
            assert connector.problems(self.whom(url, private=False))

    @pytest.mark.parametrize("liar", LIARS.values(), ids=LIARS)
    async def test_no_liar_is_believed_or_waited_for(
        self, connector: Connector, liar: Liar
    ) -> None:
        async with receiver(liar.behave) as there:
            began = time.monotonic()
            whom = self.whom(there.url("").rstrip("/"), timeout=Duration(600))
            result = await told(connector, whom, self.what())
            took = (time.monotonic() - began) * 1000
        late = took >= whom.client.timeout  # a busy machine may not hear of it in time
        assert there.seen or late
        assert took < whom.client.timeout + 20_000
        if liar.reason:
            assert result.outcome in (Outcome.UNKNOWN, Outcome.RETRY)
        elif liar.statuses[0] in (302, 400):
            assert result.outcome is Outcome.REFUSED
        elif liar.statuses[0] == 500:
            assert result.outcome in (Outcome.RETRY, Outcome.UNKNOWN)
        assert result.dead is not True
        assert (result.outcome is Outcome.DONE) <= (200 <= result.status < 300)

    async def test_nobody_listening_is_tried_again(self, connector: Connector) -> None:
        async with receiver(answers(204)) as there:
            pass
        result = await told(connector, self.whom(there.url("").rstrip("/")), self.what())
        assert (result.outcome, result.error) == (Outcome.RETRY, "connect")

    async def test_a_forbidden_address_is_refused_unasked(self, connector: Connector) -> None:
        async with receiver(answers(204)) as there:
            for url in (there.url("").rstrip("/"), f"https://127.0.0.1:{there.port}"):
                result = await told(connector, self.whom(url, private=False), self.what())
                assert (result.outcome, result.error) == (Outcome.REFUSED, "address")
            assert there.connections == 0

    @pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 409, 500, 503])
    async def test_nothing_the_receiver_wrote_is_kept(
        self, connector: Connector, status: int
    ) -> None:
        behave = answers(status, body=CANARY.encode(), headers={"X-Canary": CANARY})
        async with receiver(behave) as there:
            result = await told(connector, self.whom(there.url("").rstrip("/")), self.what())
        assert CANARY not in repr(result)
        assert not (set(self.secrets().values()) & set(repr(result).split("'")))

    async def test_a_pause_asked_for_is_passed_on(self, connector: Connector) -> None:
        for asked, milliseconds in (
            ("7", 7_000),
            ("-1", 0),
            ("1e9", 0),
            ("9" * 5_000, 0),
            ("Sat, 21 Nov 2026 06:00:00 GMT", 0),
        ):
            async with receiver(self.busy(asked)) as there:
                result = await told(connector, self.whom(there.url("").rstrip("/")), self.what())
            assert (result.outcome, result.retry_after) == (Outcome.RETRY, milliseconds)

    def busy(self, retry_after: str) -> Behaviour:
        return answers(503, headers={"Retry-After": retry_after})

    async def test_secrets_do_not_show(self, connector: Connector) -> None:
        whom = replace(self.whom("http://127.0.0.1:8080"), secrets={"secret": SECRETIVE})
        assert SECRETIVE not in f"{whom!r}{connector!r}"
