"""What covers a session is what going through all revocations says, in whatever order they came."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from lastcall.domain.logout import OfDialect, OfSubject, OfTenant, Revocation, Scope
from lastcall.domain.types import DialectName, Serial, SessionId
from lastcall.index.marks import Marks
from tests.contract.rows import ANN, APP, BOB, WEB, a_revocation, a_session

KEEPS = st.sampled_from([None, *(SessionId(f"s{number}") for number in range(1, 5))])
SCOPES: st.SearchStrategy[Scope] = st.one_of(
    st.builds(OfTenant, keep=KEEPS),
    st.builds(OfDialect, dialect=st.sampled_from([DialectName(WEB), DialectName(APP)])),
    st.builds(
        OfSubject,
        subject=st.sampled_from([ANN, BOB]),
        dialect=st.sampled_from([None, WEB, APP]),
        keep=KEEPS,
    ),
)
ROWS = [
    a_session(1),
    a_session(2, dialect=APP),
    a_session(3, subject=BOB),
    a_session(4, subject=BOB, dialect=APP, impersonator=ANN),
]


def highest(made: list[Revocation], number: int) -> int:
    row = replace(ROWS[number], serial=Serial(0))
    return max((one.serial for one in made if one.ends(row)), default=0)


@settings(max_examples=40)
@given(st.lists(SCOPES, max_size=12), st.data())
def test_marks_cover_what_their_revocations_do(scopes: list[Scope], data: st.DataObject) -> None:
    marks = Marks()
    every = [a_revocation(serial, scope) for serial, scope in enumerate(scopes, 10)]
    made: list[Revocation] = []
    for one in data.draw(st.permutations(every)):
        marks.add(one)
        made.append(one)
        covered = [marks.covered_by(row) for row in ROWS]
        assert covered == [highest(made, number) for number in range(len(ROWS))]
    for one in data.draw(st.permutations(every)):
        marks.remove(one)
        made.remove(one)
        covered = [marks.covered_by(row) for row in ROWS]
        assert covered == [highest(made, number) for number in range(len(ROWS))]
    assert not marks
