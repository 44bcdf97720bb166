"""The queue against a dictionary: who is due, in what order, and whose turn it is."""

from hypothesis import given
from hypothesis import strategies as st

from lastcall.index.queue import SLACK, Line, Queue

things = st.integers(0, 5)
times = st.none() | st.integers(0, 20)


@given(st.lists(st.tuples(things, times), max_size=60), st.integers(0, 20), st.integers(1, 6))
def test_a_line_is_a_sorted_dictionary(
    puts: list[tuple[int, int | None]], now: int, limit: int
) -> None:
    line: Line[int] = Line()
    model: dict[int, int] = {}
    for thing, at in puts:
        line.put(thing, at)
        model.pop(thing, None)
        if at is not None:
            model[thing] = at
    order = sorted(model, key=lambda thing: (model[thing], thing))
    due = [thing for thing in order if model[thing] <= now]
    assert len(line) == len(model)
    assert line.due(now, limit) == line.due(now, limit) == due[:limit]
    assert [line.at(thing) for thing in range(6)] == [model.get(thing) for thing in range(6)]
    assert line.first() == (model[order[0]] if order else None)
    odd = [thing for thing in order if thing % 2]
    assert line.first(lambda thing: not thing % 2) == (model[odd[0]] if odd else None)
    assert line.due(now, limit) == due[:limit]


def test_a_line_forgets_what_no_longer_holds() -> None:
    line: Line[str] = Line()
    for at in range(10 * SLACK):
        line.put("one", at)
    assert line.due(10 * SLACK, 9) == ["one"]
    line.put("one", None)
    assert line.due(10 * SLACK, 9) == []
    assert line.first() is None


def everybody(_line: str) -> bool:
    return False


@given(
    st.lists(st.tuples(st.sampled_from("abc"), things, times), max_size=40),
    st.lists(st.tuples(st.integers(0, 20), st.sampled_from("abc-")), max_size=4),
)
def test_a_queue_shows_all_that_is_due_whatever_was_looked_at_before(
    puts: list[tuple[str, int, int | None]], looks: list[tuple[int, str]]
) -> None:
    queue: Queue[str, tuple[str, int]] = Queue()
    model: dict[tuple[str, int], int] = {}
    for place, (line, thing, at) in enumerate(puts):
        queue.put(line, (line, thing), at)
        model.pop((line, thing), None)
        if at is not None:
            model[line, thing] = at
        for now, but in looks[place % 5 :][:1]:
            found = queue.due(now, most_of_one=2, limit=3, skip=but.__eq__, skipped=1)
            due = {key for key, at in model.items() if at <= now and key[0] != but}
            assert {key for _, key in found} <= due
            assert bool(found) == bool(due)
    for now in (20, 0, 9):
        found = queue.due(now, most_of_one=99, limit=99 * 3, skip=everybody, skipped=0)
        assert sorted(key for _, key in found) == sorted(k for k, at in model.items() if at <= now)
    for but in "abc-":
        left = [at for key, at in model.items() if key[0] != but]
        assert queue.next_due(but.__eq__) == min(left, default=None)


def test_a_hung_line_costs_the_others_nothing() -> None:
    queue: Queue[str, int] = Queue()
    for number in range(1_000):
        queue.put("hung", number, 0)
    for number in range(1_000, 1_100):
        queue.put(f"line {number}", number, 1)

    def hung(line: str) -> bool:
        return line == "hung"

    found = queue.due(2, most_of_one=64, limit=100, skip=hung, skipped=1)
    assert {thing for _, thing in found} == set(range(1_000, 1_100))
    assert len(queue.due(2, most_of_one=64, limit=200, skip=everybody, skipped=0)) == 101
