"""What a guard remembers, against a model, with questions, answers and the feed in any order."""

import random
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from lastcall.client.cache import Answer, Cache, Kept, Question
from lastcall.client.feed import Forget, Marks, Position, Progress, Reset, Scope
from lastcall.client.identity import Identity
from tests.client.authority import key_of, who

LEASE = 2.0


def ask(cache: Cache, token: str, sent: float = 0.0, *, use: bool = False) -> Question:
    return Question(key_of(token), cache.applied, sent, use)


def following(most: int = 10) -> Cache:
    cache = Cache(most)
    cache.apply(Reset(Position("e", 5)))
    return cache


def test_an_answer_is_kept_and_dies_by_its_own_deadline() -> None:
    cache = following()
    assert (
        cache.keep(ask(cache, "a", 10.0), Answer(Position("e", 5), who("a"), 30.0), 11.0)
        is Kept.KEPT
    )
    assert cache.entries[key_of("a")].until == 40.0


def test_an_answer_that_something_applied_since_concerns_is_doubtful() -> None:
    cache = following()
    question, answer = ask(cache, "a"), Answer(Position("e", 5), who("a"), 30.0)
    about_others = Marks(
        sessions=frozenset({"s-b"}), scopes=(Scope("other"), Scope("default", "u-b"))
    )
    cache.apply(Forget(Position("e", 6), about_others, True))
    assert cache.keep(question, answer, 1.0) is Kept.KEPT
    for marks in (
        Marks(tokens=frozenset({key_of("a")})),
        Marks(sessions=frozenset({"s-a"})),
        Marks(scopes=(Scope("default"),)),
        Marks(scopes=(Scope("default", "u-a"),)),
        Marks(scopes=(Scope("default", None, "native"),)),
    ):
        cache = following()
        cache.keep(ask(cache, "a"), answer, 1.0)
        cache.apply(Forget(Position("e", 6), marks, True))
        entry = cache.entries.get(key_of("a"))
        assert entry is None or not entry.herd.alive
        assert cache.keep(question, answer, 1.0) is Kept.DOUBTFUL
        newer = Answer(Position("e", 6), who("a"), 30.0)
        assert cache.keep(question, newer, 1.0) is Kept.KEPT
        assert cache.entries[key_of("a")].herd.alive


def test_a_part_of_a_change_is_forgotten_at_once_but_not_yet_come_so_far() -> None:
    cache = following()
    cache.keep(ask(cache, "a"), Answer(Position("e", 5), who("a"), 30.0), 1.0)
    cache.renew(Position("e", 6), 9.0)
    cache.apply(Forget(Position("e", 6), Marks(sessions=frozenset({"s-a"})), False))
    assert (cache.applied, cache.entries, cache.lease_until) == (Position("e", 5), {}, 0.0)
    cache.apply(Forget(Position("e", 6), Marks(), True))
    assert (cache.applied, cache.lease_until) == (Position("e", 6), 9.0)


def test_who_sits_in_somebody_elses_session_is_forgotten_with_either() -> None:
    cache = following()
    sitting = Identity(
        subject="u-john", username="john", session="s", tenant="default", role="monitor",
        dialect="native", impersonator="u-admin",
    )  # fmt: skip
    for subject in ("u-john", "u-admin"):
        cache.keep(ask(cache, "t"), Answer(cache.applied, sitting, 30.0), 1.0)
        seq = cache.applied.seq + 1 if cache.applied else 0
        cache.apply(Forget(Position("e", seq), Marks(scopes=(Scope("default", subject),)), True))
        assert not cache.entries


def test_a_reset_forgets_everything_and_ends_the_lease() -> None:
    cache = following()
    cache.renew(Position("e", 5), 9.0)
    gone: list[int] = []
    cache.keep(ask(cache, "a"), Answer(Position("e", 5), who("a"), 30.0), 1.0)
    cache.watch(key_of("a"), lambda: gone.append(1))
    question = ask(cache, "b")
    cache.apply(Reset(Position("f", 3)))
    assert (cache.entries, cache.lease_until, gone) == ({}, 0.0, [1])
    assert cache.keep(question, Answer(Position("e", 5), who("b"), 30.0), 1.0) is Kept.NOT_KEPT
    assert cache.keep(question, Answer(Position("f", 2), who("b"), 30.0), 1.0) is Kept.DOUBTFUL
    with pytest.raises(ValueError, match="another epoch"):
        cache.apply(Progress(Position("e", 9)))


def test_an_answer_older_than_its_question_is_none() -> None:
    cache = following()
    with pytest.raises(ValueError, match="older"):
        cache.keep(ask(cache, "a"), Answer(Position("e", 4), who("a"), 30.0), 1.0)


def test_a_refusal_outlives_an_acceptance_that_was_asked_for_before_it() -> None:
    cache = following()
    early = ask(cache, "a", 1.0)
    cache.keep(ask(cache, "a", 2.0), Answer(Position("e", 6), None), 3.0)
    assert cache.keep(early, Answer(Position("e", 5), who("a"), 30.0), 4.0) is Kept.DOUBTFUL
    later = ask(cache, "a", 5.0)
    assert cache.keep(later, Answer(Position("e", 5), who("a"), 30.0), 6.0) is Kept.KEPT


def test_it_holds_no_more_than_it_may_and_the_used_and_the_watched_stay() -> None:
    cache = following(most=3)
    for name in "abc":
        cache.keep(ask(cache, name), Answer(Position("e", 5), who(name), 30.0), 1.0)
    cache.entries[key_of("a")].hot = True
    cache.watch(key_of("b"), lambda: None)
    for name in "defg":
        cache.keep(ask(cache, name), Answer(Position("e", 5), who(name), 30.0), 1.0)
        assert len(cache.entries) == 3
    assert key_of("b") in cache.entries
    assert key_of("c") not in cache.entries
    for name in "bfg":
        cache.watch(key_of(name), lambda: None)
    cache.keep(ask(cache, "z"), Answer(Position("e", 5), who("z"), 30.0), 1.0)
    assert key_of("z") not in cache.entries


def test_what_was_dropped_leaves_nothing_behind() -> None:
    cache = following(most=5)
    for number in range(200):
        name = f"n{number % 37}"
        cache.keep(ask(cache, f"t{number}"), Answer(Position("e", 5), who(name), 30.0), 1.0)
    for key in list(cache.entries):
        cache.drop(key)
    assert [cache._sessions, cache._subjects, cache._watched] == [{}, {}, set()]  # noqa: SLF001


def test_what_was_told_before_cannot_follow() -> None:
    """A feed that goes back is not believed: who hears it begins anew where it was."""
    cache = following()
    cache.apply(Forget(Position("e", 8), Marks(sessions=frozenset({"s-a"})), True))
    for old in (
        Forget(Position("e", 8), Marks(), True),
        Forget(Position("e", 6), Marks(), False),
        Progress(Position("e", 7)),
    ):
        with pytest.raises(ValueError, match="before"):
            cache.apply(old)
    assert cache.applied == Position("e", 8)


def test_half_of_a_change_counts_though_an_earlier_one_is_told_after_it() -> None:
    """Cut off in the middle of a change, and going on at a node that has not come so far."""
    cache = following()
    question = ask(cache, "a")
    cache.apply(Forget(Position("e", 8), Marks(sessions=frozenset({"s-a"})), False))
    cache.apply(Forget(Position("e", 6), Marks(sessions=frozenset({"s-b"})), True))
    answer = Answer(Position("e", 7), who("a"), 30.0)
    assert cache.keep(question, answer, 1.0) is Kept.DOUBTFUL
    newer = Answer(Position("e", 8), who("a"), 30.0)
    assert cache.keep(question, newer, 1.0) is Kept.KEPT


NAMES = ("a", "b", "c", "d")
TENANTS = ("x", "y")


@dataclass
class Asked:
    question: Question
    token: str
    answer: Answer | None = None


class Walk:
    """An authority with a few sessions, a feed that lags, and a guard's memory of them.

    Whatever order it all comes in: what has been applied is forgotten, and while its lease is
    fresh, memory accepts no session that had ended before the lease was asked for, nor longer
    than the session's own time.
    """

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.done: list[str] = []
        self.now = 100.0
        self.epoch, self.log = "e0", [Marks()]
        self.live: dict[str, Identity] = {}
        self.ended_at: dict[str, float] = {}
        self.ended_in: dict[str, Position] = {}
        self.dies_at: dict[str, float] = {}
        self.cache = Cache(4)
        self.asked: list[Asked] = []
        self.renewals: list[tuple[float, Position | None]] = []
        self.stream, self.told = "", 0

    STEPS: Mapping[str, int] = {
        "log_in": 6, "log_out": 4, "ask": 8, "decide": 8, "hear": 10, "connect": 1, "follow": 9,
        "ask_to_renew": 4, "decide_renewal": 5, "hear_renewal": 6, "wait": 4, "restart": 1,
    }  # fmt: skip

    def go(self, steps: int) -> None:
        self.log_in()
        self.connect()
        for name in self.chance.choices(list(self.STEPS), list(self.STEPS.values()), k=steps):
            self.done.append(name)
            getattr(self, name)()
            self.judge()

    def judge(self) -> None:
        applied = self.cache.applied
        assert len(self.cache.entries) <= 4, self.done
        for token, dies in self.dies_at.items():
            entry = self.cache.entries.get(key_of(token))
            if entry is None or not entry.herd.alive or applied is None:
                continue
            ended = self.ended_in.get(token)
            if ended is not None and ended.epoch == applied.epoch:
                assert applied < ended, self.done
            if self.now < self.cache.lease_until and self.now < entry.until:
                assert self.now < dies, self.done
                assert self.now < self.ended_at.get(token, self.now) + LEASE, self.done

    def position(self) -> Position:
        return Position(self.epoch, len(self.log))

    def log_in(self) -> None:
        token = f"t{len(self.dies_at)}"
        name, tenant = self.chance.choice(NAMES), self.chance.choice(TENANTS)
        self.live[token] = who(name, tenant=tenant, session=f"s{len(self.dies_at)}")
        self.dies_at[token] = self.now + self.chance.choice([1, 10, 100])
        self.log.append(Marks())

    def log_out(self) -> None:
        if not self.live:
            return
        token = self.chance.choice(sorted(self.live))
        one = self.live[token]
        marks = self.chance.choice(
            [
                Marks(tokens=frozenset({key_of(token)})),
                Marks(sessions=frozenset({one.session})),
                Marks(scopes=(Scope(one.tenant, one.subject),)),
                Marks(scopes=(Scope(one.tenant, one.subject, one.dialect),)),
                Marks(scopes=(Scope(one.tenant, None, self.chance.choice([None, one.dialect])),)),
            ]
        )
        self.log.append(marks)
        for other, identity in list(self.live.items()):
            if marks.concern(key_of(other), identity):
                del self.live[other]
                self.ended_at[other], self.ended_in[other] = self.now, self.position()

    def ask(self) -> None:
        token = self.chance.choice(list(self.dies_at)[-6:])
        question = Question(key_of(token), self.cache.applied, self.now, self.chance.random() < 0.5)
        self.asked.append(Asked(question, token))

    def decide(self) -> None:
        """The authority has its answer; it is on its way."""
        undecided = [one for one in self.asked if one.answer is None]
        if undecided:
            one = self.chance.choice(undecided)
            lasts = self.dies_at[one.token] - self.now
            identity = self.live.get(one.token) if lasts > 0 else None
            one.answer = Answer(self.position(), identity, lasts)

    def hear(self) -> None:
        decided = [one for one in self.asked if one.answer is not None]
        if decided:
            one = self.chance.choice(decided)
            self.asked.remove(one)
            assert one.answer is not None
            self.cache.keep(one.question, one.answer, self.now)

    def connect(self) -> None:
        applied = self.cache.applied
        self.stream = self.epoch
        if applied is None or applied.epoch != self.epoch:
            self.cache.apply(Reset(self.position()))
            self.told = len(self.log)
        else:
            self.told = applied.seq

    def follow(self) -> None:
        if self.stream != self.epoch or self.told >= len(self.log):
            return
        marks = self.log[self.told]
        at = Position(self.epoch, self.told + 1)
        if self.chance.random() < 0.2:
            self.cache.apply(Forget(at, Marks(), False))
            if self.chance.random() < 0.5:
                return
        self.told += 1
        self.cache.apply(Forget(at, marks, True) if len(marks) else Progress(at))

    def ask_to_renew(self) -> None:
        self.renewals.append((self.now, None))

    def decide_renewal(self) -> None:
        at = [number for number, one in enumerate(self.renewals) if one[1] is None]
        if at:
            self.renewals[at[0]] = (self.renewals[at[0]][0], self.position())

    def hear_renewal(self) -> None:
        decided = [one for one in self.renewals if one[1] is not None]
        if decided:
            one = self.chance.choice(decided)
            self.renewals.remove(one)
            assert one[1] is not None
            self.cache.renew(one[1], one[0] + LEASE)

    def wait(self) -> None:
        self.now += self.chance.choice([0.01, 0.5, 1.0, 1.9, 2.1])

    def restart(self) -> None:
        self.epoch, self.log = f"e{int(self.epoch[1:]) + 1}", [Marks()]


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_no_order_of_things_lets_anybody_in_for_too_long(part: int) -> None:
    for seed in range(400 * part, 400 * (part + 1)):
        Walk(seed).go(150)
