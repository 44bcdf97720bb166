"""Accounts from rows: what a database gives becomes what was put, and what is equal is shared."""

from dataclasses import fields

from hypothesis import given, settings
from hypothesis import strategies as st

from lastcall.domain.subject import Subject
from lastcall.domain.types import Instant, Serial, SubjectId, TenantId
from lastcall.rows import TABLES, Value

TEXT = st.text(max_size=5)
NUMBER = st.integers(0, 2**40)
TABLE = TABLES[Subject]
PEOPLE = st.builds(
    Subject,
    id=TEXT.map(SubjectId),
    tenant=TEXT.map(TenantId),
    username=TEXT,
    password_hash=TEXT,
    role=TEXT,
    version=NUMBER.map(Serial),
    created=NUMBER.map(Instant),
    changed=NUMBER.map(Instant),
    email=TEXT,
    name=TEXT,
    first_name=TEXT,
    last_name=TEXT,
    groups=st.lists(TEXT, max_size=2).map(tuple),
    profile=st.dictionaries(TEXT, TEXT | NUMBER, max_size=2),
    totp_secret=TEXT,
    totp_step=NUMBER,
    email_codes=st.booleans(),
    backup_codes=st.lists(TEXT, max_size=2).map(tuple),
    enabled=st.booleans(),
)


def read(one: Subject) -> Subject:
    back: Subject = TABLE.fact([anew(value) for value in TABLE.row(one.tenant, one)])
    return back


def anew(value: Value) -> Value:
    """As SQLite gives it, which has no flags: equal, not the same."""
    return "".join(list(value)) if isinstance(value, str) else int(str(int(value or 0)))


@settings(max_examples=100)
@given(PEOPLE)
def test_somebody_comes_back_as_put(one: Subject) -> None:
    back = read(one)
    assert back == one
    kinds = [(type(getattr(back, field.name)), field.name) for field in fields(Subject)]
    assert kinds == [(type(getattr(one, field.name)), field.name) for field in fields(Subject)]


def test_what_all_have_is_there_once() -> None:
    put = Subject(
        id=SubjectId("u_1"),
        tenant=TenantId("elsewhere"),
        username="ann",
        password_hash="",
        role="monitor",
        version=Serial(2**40),
        created=Instant(2**41),
        changed=Instant(2**41),
    )
    one, other = read(put), read(put)
    assert one.tenant is other.tenant
    assert one.role is other.role
    assert one.profile is other.profile
    assert one.created is one.changed
