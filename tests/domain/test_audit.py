"""The audit chain: any altered, dropped or moved record breaks it."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from lastcall.domain.audit import (
    GENESIS,
    Action,
    Event,
    Outcome,
    Record,
    body_of,
    chained,
    digest_of,
)
from lastcall.domain.origin import Origin
from lastcall.domain.types import DialectName, Instant, SubjectId, TenantId


def event(target: str) -> Event:
    return Event(
        at=Instant(1),
        tenant=TenantId("t"),
        action=Action.LOGOUT,
        outcome=Outcome.DONE,
        origin=Origin(dialect=DialectName("native")),
        actor=SubjectId("u"),
        actor_name="u",
        target=target,
    )


def chain(targets: Sequence[str]) -> list[Record]:
    records: list[Record] = []
    previous = GENESIS
    for seq, target in enumerate(targets, 1):
        records.append(chained(seq, previous, event(target)))
        previous = records[-1].digest
    return records


def intact(records: Sequence[Record]) -> bool:
    previous = GENESIS
    for seq, record in enumerate(records, 1):
        if record != chained(seq, previous, record.event):
            return False
        previous = record.digest
    return True


texts = st.lists(st.text(), min_size=2, max_size=6)


@given(texts, st.data())
def test_a_changed_record_shows(targets: list[str], data: st.DataObject) -> None:
    records = chain(targets)
    assert intact(records)
    place = data.draw(st.integers(0, len(records) - 1))
    changed = replace(records[place].event, target=records[place].event.target + "x")
    records[place] = replace(records[place], event=changed)
    assert not intact(records)


@given(texts, st.data())
def test_a_dropped_or_moved_record_shows(targets: list[str], data: st.DataObject) -> None:
    records = chain(targets)
    place = data.draw(st.integers(0, len(records) - 2))
    assert not intact(records[:place] + records[place + 1 :])
    records[place], records[place + 1] = records[place + 1], records[place]
    assert not intact(records)


ANY = st.text(st.characters(), max_size=8)
"""Half surrogate pairs included: a record that cannot be written is chained before that shows."""


@given(
    texts=st.lists(ANY, min_size=8, max_size=8), detail=st.dictionaries(ANY, ANY), at=st.integers()
)
def test_the_chain_is_over_what_a_verifier_computes(
    texts: list[str], detail: dict[str, str], at: int
) -> None:
    """The quick way to the content of a record is the plain one, whatever is in it."""
    tenant, actor, name, target, code, dialect, address, request = texts
    one = Event(
        at=Instant(at),
        tenant=TenantId(tenant),
        action=Action.LOGOUT,
        outcome=Outcome.REFUSED,
        origin=Origin(dialect=DialectName(dialect), address=address, request_id=request),
        actor=SubjectId(actor),
        actor_name=name,
        target=target,
        code=code,
        detail=detail,
    )
    plain = json.dumps(body_of(7, one), sort_keys=True, separators=(",", ":")).encode("ascii")
    digest = digest_of(GENESIS, hashlib.sha256(plain).digest())
    assert chained(7, GENESIS, one).digest == digest
