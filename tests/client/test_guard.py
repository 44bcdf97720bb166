"""The guard against a made-up authority: when it answers itself, when it asks, when it refuses."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import pytest

from lastcall.client import CannotKnow, Identity, SessionGuard, Verdict
from lastcall.client.cache import Answer
from lastcall.client.feed import Event, Marks, Position, Reset, Scope
from lastcall.client.waits import LONGEST, SHORTEST, Waits
from tests.client.authority import Clock, FakeAuthority, key_of, who
from tests.client.running import PATIENCE


class Unanswering(FakeAuthority):
    """Answers introspections once it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = asyncio.Event()
        self.failure: Exception | None = None

    async def introspect(
        self, token: str, applied: Position | None, *, use: bool, seconds: float
    ) -> Answer:
        self.asked.append((token, use))
        await self.waiting.wait()
        if self.failure is not None:
            raise self.failure
        return Answer(self.here, self.sessions.get(token), self.lasts)


class Stumbling:
    """Fails three times in a way nobody foresaw."""

    def __init__(self, authority: FakeAuthority) -> None:
        self.left = 3
        self.then = authority.position

    async def __call__(self, seconds: float) -> Position:
        self.left -= 1
        if self.left >= 0:
            raise RuntimeError("unforeseen")
        return await self.then(seconds)


@asynccontextmanager
async def guarded(
    authority: FakeAuthority, *, entries: int = 100, lease: float = 2.0
) -> AsyncIterator[SessionGuard]:
    """Its clock stands still, but for what a test adds to it; its pauses are real."""
    guard = SessionGuard(
        authority=authority,
        clock=authority.clock,
        entries=entries,
        lease=lease,
        patience=PATIENCE,
    )
    async with guard:
        yield guard


async def until(what: object, seconds: float = PATIENCE) -> None:
    """`what` is called until it is true."""
    assert callable(what)
    async with asyncio.timeout(seconds):
        while not what():  # noqa: ASYNC110  # nothing tells a test
            await asyncio.sleep(0.001)


async def test_it_asks_once_and_then_answers_by_itself() -> None:
    authority = FakeAuthority()
    await authority.log_in("t", who("john"))
    async with guarded(authority) as guard:
        assert guard.check_now("t") is Verdict.UNKNOWN
        assert await guard.check("t") == who("john")
        assert guard.check_now("t") == who("john")
        assert await guard.check("t") == who("john")
    assert authority.asked == [("t", True)]


async def test_a_logout_is_heard_and_the_token_is_refused() -> None:
    authority = FakeAuthority()
    await authority.log_in("t", who("john"))
    async with guarded(authority) as guard:
        await guard.check("t")
        await authority.log_out("t")
        await until(lambda: guard.check_now("t") is Verdict.UNKNOWN)
        assert await guard.check("t") is None
        assert guard.check_now("t") is Verdict.REFUSED
        authority.clock.now += 1.0
        assert guard.check_now("t") is Verdict.UNKNOWN


async def test_a_lease_that_ran_out_means_asking_every_time() -> None:
    authority = FakeAuthority()
    await authority.log_in("t", who("john"))
    async with guarded(authority) as guard:
        await guard.check("t")
        authority.clock.now += 1.999
        assert guard.check_now("t") == who("john")
        authority.clock.now += 0.001
        assert guard.check_now("t") is Verdict.UNKNOWN


async def test_without_the_authority_nobody_is_let_in_and_nobody_is_refused() -> None:
    authority = FakeAuthority()
    await authority.log_in("t", who("john"))
    async with guarded(authority) as guard:
        await guard.check("t")
        authority.down = True
        authority.clock.now += 2.0
        with pytest.raises(CannotKnow):
            await guard.check("t")
        with pytest.raises(CannotKnow):
            await guard.check("another")
        authority.down = False
        assert await guard.check("t") == who("john")


async def test_the_lease_counts_from_when_it_was_asked_for() -> None:
    class Slow(FakeAuthority):
        async def position(self, seconds: float):  # type: ignore[no-untyped-def]  # as its parent's
            here = await super().position(seconds)
            self.clock.now += 1.5
            return here

    authority = Slow()
    async with guarded(authority) as guard:
        assert guard.standing.lease <= 0.5


@pytest.mark.slow
async def test_a_lease_waits_for_the_feed() -> None:
    authority = FakeAuthority()
    await authority.log_in("t", who("john"))
    async with guarded(authority) as guard:
        await guard.check("t")
        authority.mute = True
        await authority.log_out("t")
        authority.clock.now += 2.0
        await asyncio.sleep(0.7)  # in which it renews
        assert guard.check_now("t") is Verdict.UNKNOWN
        assert not guard.standing.following
        authority.mute = False
        await authority.change(None)
        assert await guard.check("t") is None


async def test_an_answer_overtaken_by_a_logout_is_asked_for_again() -> None:
    authority = FakeAuthority()
    await authority.log_in("t", who("john"))
    asking, go_on = asyncio.Event(), asyncio.Event()
    honest = authority.introspect

    async def slow(*given, **more):  # type: ignore[no-untyped-def]  # as it is
        answer = await honest(*given, **more)
        asking.set()
        await go_on.wait()
        return answer

    authority.introspect = slow  # type: ignore[method-assign]  # of this one alone
    async with guarded(authority) as guard:
        checking = asyncio.create_task(guard.check("t"))
        await asking.wait()
        before = guard.standing.position
        await authority.log_out("t")
        await until(lambda: guard.standing.position != before)
        go_on.set()
        assert await checking is None
        assert len(authority.asked) == 2


async def test_many_who_ask_the_same_ask_once() -> None:
    authority = FakeAuthority()
    await authority.log_in("t", who("john"))
    async with guarded(authority) as guard:
        assert await asyncio.gather(*(guard.check("t") for _ in range(50))) == [who("john")] * 50
    assert len(authority.asked) == 1


async def test_a_new_epoch_forgets_everything_and_is_followed() -> None:
    authority = FakeAuthority()
    await authority.log_in("t", who("john"))
    async with guarded(authority) as guard:
        await guard.check("t")
        await authority.restart("f")
        await until(lambda: (at := guard.standing.position) is not None and at.epoch == "f")
        assert guard.check_now("t") is Verdict.UNKNOWN
        assert await guard.check("t") == who("john")
        await until(lambda: guard.standing.following)
        assert guard.check_now("t") == who("john")


async def test_a_use_is_told_now_and_then_and_without_waiting() -> None:
    authority = FakeAuthority(lasts=100.0)
    await authority.log_in("t", who("john"))
    async with guarded(authority, lease=60.0) as guard:
        await guard.check("t")
        for _ in range(10):
            authority.clock.now += 0.9
            assert guard.check_now("t") == who("john")
        assert len(authority.asked) == 1
        authority.clock.now += 1.1
        assert guard.check_now("t", use=False) == who("john")
        await asyncio.sleep(0.01)
        assert len(authority.asked) == 1
        assert guard.check_now("t") == who("john")
        await until(lambda: len(authority.asked) == 2)
    assert authority.asked == [("t", True)] * 2


async def test_an_answer_does_not_outlive_the_session() -> None:
    authority = FakeAuthority(lasts=5.0)
    await authority.log_in("t", who("john"))
    async with guarded(authority, lease=60.0) as guard:
        await guard.check("t", use=False)
        authority.clock.now += 4.999
        assert isinstance(guard.check_now("t", use=False), Identity)
        authority.clock.now += 0.001
        assert guard.check_now("t", use=False) is Verdict.UNKNOWN


async def test_who_watches_hears_of_the_end_and_not_of_what_passes() -> None:
    authority = FakeAuthority()
    await authority.log_in("t", who("john"))
    async with guarded(authority) as guard:
        watching = asyncio.create_task(guard.ended("t"))
        await until(lambda: len(authority.asked) == 1)
        await authority.change(Marks(sessions=frozenset({"s-john"})))  # his role, for example
        await until(lambda: len(authority.asked) == 2)
        await authority.log_out_all(Scope("default"))
        assert await asyncio.wait_for(watching, PATIENCE) is Verdict.REFUSED
    assert not any(use for _, use in authority.asked)


async def test_who_watches_is_let_go_when_it_cannot_be_known() -> None:
    authority = FakeAuthority()
    authority.clock = Clock()
    await authority.log_in("t", who("john"))
    async with guarded(authority, lease=0.2) as guard:
        watching = asyncio.create_task(guard.ended("t"))
        await until(lambda: len(authority.asked) == 1)
        authority.down = True
        authority.clock.now += 0.2
        assert await asyncio.wait_for(watching, PATIENCE) is Verdict.UNKNOWN


@pytest.mark.slow
async def test_however_many_watch_all_are_let_go_when_nobody_knows_any_more() -> None:
    """Questions wait for their turn; what goes on for thousands must not go on meanwhile."""
    authority = Unanswering()
    authority.waiting.set()
    guard = SessionGuard(authority=authority, lease=1.0, patience=2.0, entries=10_000)
    async with guard:
        for number in range(2_000):
            await authority.log_in(f"t{number}", who("a", session=f"s{number}"))
        watching = [asyncio.create_task(guard.ended(f"t{number}")) for number in range(2_000)]
        await until(lambda: guard.standing.entries == 2_000)
        authority.waiting.clear()
        authority.down = True
        began = time.monotonic()
        assert set(await asyncio.gather(*watching)) == {Verdict.UNKNOWN}
        assert time.monotonic() - began < 1.0 + 2.0 + 30.0, "one after the other: two minutes"


@pytest.mark.parametrize("token", ["", "x" * 9_000, "t\xf6ken", "\udc80"])
async def test_what_cannot_be_a_token_is_refused_unasked(token: str) -> None:
    authority = FakeAuthority()
    async with guarded(authority) as guard:
        assert await guard.check(token) is None
    assert authority.asked == []


async def test_tokens_are_kept_by_their_hash_alone(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    authority = FakeAuthority()
    await authority.log_in("secret-token", who("john"))
    async with guarded(authority) as guard:
        await guard.check("secret-token")
        assert list(guard._cache.entries) == [key_of("secret-token")]  # noqa: SLF001
        authority.down = True
        with pytest.raises(CannotKnow) as told:
            await guard.check("another-secret")
    assert "secret" not in caplog.text + str(told.value)


async def test_a_closed_guard_knows_nothing() -> None:
    authority = FakeAuthority()
    async with guarded(authority) as guard:
        pass
    with pytest.raises(CannotKnow):
        await guard.check("t")


async def test_who_still_waits_when_it_is_closed_is_told_that_nobody_knows() -> None:
    """And is not cancelled, as if it had gone away itself."""
    authority = Unanswering()
    async with guarded(authority) as guard:
        waiting = [asyncio.create_task(guard.check("t")) for _ in range(2)]
        await until(lambda: authority.asked)
    for one in await asyncio.gather(*waiting, return_exceptions=True):
        assert isinstance(one, CannotKnow)


async def test_who_gives_up_waiting_is_cancelled_and_the_question_goes_on() -> None:
    authority = Unanswering()
    async with guarded(authority) as guard:
        one, other = [asyncio.create_task(guard.check("t")) for _ in range(2)]
        await until(lambda: authority.asked)
        one.cancel()
        with pytest.raises(asyncio.CancelledError):
            await one
        await authority.log_in("t", who("a"))
        authority.waiting.set()
        assert await other == who("a")


async def test_a_failure_nobody_foresaw_means_that_nobody_knows(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """To who checks and to who watches: what goes on for a session must not go on without it."""
    authority = Unanswering()
    authority.failure = RuntimeError("a-secret in its words")
    authority.waiting.set()
    async with guarded(authority) as guard:
        with pytest.raises(CannotKnow) as told:
            await guard.check("t")
        assert await guard.ended("t") is Verdict.UNKNOWN
    assert "a-secret" not in caplog.text + str(told.value)
    assert "RuntimeError" in caplog.text


async def test_who_cannot_reach_the_authority_tries_ever_more_seldom_and_never_all_at_once() -> (
    None
):
    waits = [Waits() for _ in range(50)]
    rounds = [[one.next() for one in waits] for _ in range(12)]
    for waited in rounds:
        assert len({round(wait, 4) for wait in waited}) > 25, "not all at one moment"
        assert SHORTEST / 2 <= min(waited) <= max(waited) <= LONGEST
    assert max(rounds[0]) <= SHORTEST
    assert sum(rounds[-1]) / 50 > LONGEST / 4
    waits[0].reset()
    assert waits[0].next() <= SHORTEST


async def test_a_lease_is_asked_for_again_whatever_became_of_the_last_time() -> None:
    authority = FakeAuthority()
    authority.position = Stumbling(authority)  # type: ignore[method-assign]  # the same, later
    async with guarded(authority, lease=0.2) as guard:
        await until(lambda: guard.standing.following)


@pytest.mark.parametrize(
    "wrong",
    [
        {"lease": 0.0},
        {"lease": float("inf")},
        {"lease": float("nan")},
        {"entries": 0},
        {"patience": 0.0},
        {"patience": float("nan")},
    ],
)
def test_settings_that_make_no_sense(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="above zero"):
        SessionGuard("http://127.0.0.1", **wrong)  # type: ignore[arg-type]  # one of them at a time
    with pytest.raises(ValueError, match="http"):
        SessionGuard("ftp://127.0.0.1")


async def test_one_that_is_closed_as_the_feed_begins_is_closed() -> None:
    closing: list[asyncio.Task[None]] = []

    class Closing(FakeAuthority):
        async def feed(self, applied: Position | None) -> AsyncGenerator[Event, None]:
            yield Reset(self.here)
            closing.append(asyncio.create_task(guard.close()))
            await asyncio.Event().wait()

    guard = SessionGuard(authority=Closing())
    await guard.start()
    await until(lambda: bool(closing))
    await asyncio.wait(closing, timeout=60)
    assert closing[0].done()
