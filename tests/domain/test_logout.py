"""Scopes and revocations: exactly whom a logout covers."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from lastcall.domain.logout import (
    OfDialect,
    OfSessions,
    OfSubject,
    OfTenant,
    OneSession,
    Revocation,
    Scope,
    covers,
)
from lastcall.domain.session import Session
from lastcall.domain.types import (
    DialectName,
    EndReason,
    Instant,
    ReceiptId,
    Serial,
    SessionId,
    SubjectId,
    TenantId,
)
from tests.domain.samples import TENANT, sessions

ids = st.sampled_from([SessionId("s1"), SessionId("s2"), SessionId("s3")])
dialects = st.sampled_from([DialectName("elvis"), DialectName("rsa")])
subjects = st.sampled_from([SubjectId("u1"), SubjectId("u2")])
scopes: st.SearchStrategy[Scope] = st.one_of(
    st.builds(OneSession, session=ids),
    st.builds(OfSessions, sessions=st.frozensets(ids)),
    st.builds(OfSubject, subject=subjects, dialect=st.none() | dialects, keep=st.none() | ids),
    st.builds(OfDialect, dialect=dialects),
    st.builds(OfTenant, keep=st.none() | ids),
)


def revocation(scope: Scope, serial: int = 10) -> Revocation:
    return Revocation(
        id=ReceiptId("r"),
        tenant=TENANT,
        scope=scope,
        serial=Serial(serial),
        at=Instant(7),
        why=EndReason.LOGOUT,
        by=SubjectId("u1"),
        by_name="u1",
        reason="",
        via=DialectName("native"),
    )


@given(scopes, sessions)
def test_a_scope_covers_what_its_words_say(scope: Scope, one: Session) -> None:
    match scope:
        case OneSession():
            expected = one.id == scope.session
        case OfSessions():
            expected = one.id in scope.sessions
        case OfSubject():
            whose = {one.subject, one.impersonator}
            mine = scope.subject in whose and one.id != scope.keep
            expected = mine and scope.dialect in (None, one.dialect)
        case OfDialect():
            expected = one.dialect == scope.dialect
        case OfTenant():
            expected = one.id != scope.keep
    assert covers(scope, one) == expected


@given(scopes, sessions)
def test_a_revocation_ends_older_sessions_of_its_own_tenant_only(
    scope: Scope, one: Session
) -> None:
    rule = revocation(scope)
    assert rule.ends(one) == (covers(scope, one) and one.serial < 10)
    assert not rule.ends(replace(one, tenant=TenantId("another")))


def test_the_end_names_when_by_whom_and_why() -> None:
    end = revocation(OfTenant()).end()
    assert (end.at, end.by, end.why) == (7, "u1", EndReason.LOGOUT)
