"""A logout is about who had logged in before it, and about nobody since, in all its slices."""

import pytest

from lastcall.domain.logout import OfDialect, OfSessions, OfSubject, OfTenant, OneSession, Scope
from lastcall.domain.types import SessionId
from lastcall.index import IndexStore
from tests.contract.rows import (
    ANN,
    APP,
    BOB,
    ONE,
    WEB,
    a_revocation,
    a_session,
    fill,
    serials_up_to,
    token_of,
)


class Barriers:
    @pytest.mark.parametrize(
        ("scope", "ended"),
        [
            (OneSession(session=SessionId("s2")), [2]),
            (OneSession(session=SessionId("s6")), []),
            (OfSessions(sessions=frozenset({SessionId("s1"), SessionId("s6")})), [1]),
            (OfSubject(subject=ANN), [1, 2]),
            (OfSubject(subject=ANN, keep=SessionId("s1")), [2]),
            (OfSubject(subject=ANN, dialect=APP), [2]),
            (OfSubject(subject=BOB), [3, 4]),
            (OfDialect(dialect=APP), [2, 4]),
            (OfTenant(), [1, 2, 3, 4]),
        ],
    )
    async def test_who_logged_in_since_stays_whatever_is_still_to_be_ended(
        self, store: IndexStore, scope: Scope, ended: list[int]
    ) -> None:
        begun = [(ANN, WEB), (ANN, APP), (BOB, WEB), (BOB, APP)]
        revocation = a_revocation(5, scope)
        await fill(store, 0)
        async with store.transaction(ONE) as tx:
            for number, (subject, dialect) in enumerate(begun, 1):
                await tx.add_session(a_session(number, subject=subject, dialect=dialect))
            await serials_up_to(tx, 5)
            await tx.add_revocation(revocation)
            for number, (subject, dialect) in enumerate(begun, 6):
                await tx.add_session(a_session(number, subject=subject, dialect=dialect))
            await serials_up_to(tx, 9)
        went: list[int] = []
        for _ in range(5):
            async with store.transaction(ONE) as tx:
                went += [one.serial for one in await tx.end_sessions(revocation, 1)]
        assert went == ended
        for number in (1, 2, 3, 4, 6, 7, 8, 9):
            found = await store.find(token_of(number))
            assert found is not None
            assert (found.session.ended is not None) == (number in ended)
            assert (number < found.revoked_before) == (number in ended)
