"""The wheel that says what to look at: each thing when it is due by now, and once."""

from lastcall.index.wheel import BUCKET, Wheel


def test_things_are_taken_when_they_are_due_and_what_is_not_moves_on() -> None:
    due = {"a": 1, "b": 3 * BUCKET, "c": None}
    wheel: Wheel[str] = Wheel()
    for thing in due:
        wheel.add(thing, 0)
    assert wheel.take(1, 10, due.get) == ["a"]
    assert wheel.take(2 * BUCKET, 10, due.get) == []
    assert wheel.take(3 * BUCKET, 10, due.get) == ["b"]


def test_a_thing_that_went_and_came_back_is_taken_once() -> None:
    wheel: Wheel[str] = Wheel()
    for at in (0, 1, 2 * BUCKET):
        wheel.add("a", at)
    wheel.add("b", 0)
    assert sorted(wheel.take(3 * BUCKET, 10, lambda _: 0)) == ["a", "b"]
    assert wheel.take(9 * BUCKET, 10, lambda _: 0) == []


def test_no_more_are_taken_than_asked_for() -> None:
    wheel: Wheel[int] = Wheel()
    wheel.add_all(range(5), 0)
    taken = [one for _ in range(3) for one in wheel.take(1, 2, lambda _: 0)]
    assert sorted(taken) == list(range(5))
