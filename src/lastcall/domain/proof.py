"""Proof: what a chain of audit records shows by itself, and where it has been tampered with."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lastcall.domain.audit import GENESIS, Link, Record, body_of, content_of, digest_of

Line = Mapping[str, object]
"""A record, or what stands for one, as exported: plain JSON values, digests in hexadecimal."""

FIELDS: Mapping[str, type] = {
    "seq": int,
    "at": int,
    "tenant": str,
    "action": str,
    "outcome": str,
    "actor": str,
    "actor_name": str,
    "target": str,
    "code": str,
    "detail": dict,
    "dialect": str,
    "address": str,
    "request_id": str,
}
"""What a digest is computed over."""

CHAINING = {"previous": str, "digest": str}
WITHHELD = {"seq": int, "content": str, **CHAINING}
SHOWN = {**FIELDS, **CHAINING}
RECEIPT_TYP = "lastcall-receipt+jwt"
HEAD_TYP = "lastcall-head+jwt"
HEX = frozenset("0123456789abcdef")
DIGEST_LENGTH = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong. `seq` is the record it is about, None when it cannot be told.

    `what` is one of unreadable, altered, missing, repeated, out-of-order, foreign.
    """

    what: str
    seq: int | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A place in the chain as somebody shows it, its digests not yet believed."""

    seq: int
    previous: bytes
    content: bytes
    digest: bytes
    line: Line

    @property
    def shown(self) -> bool:
        return "content" not in self.line


def line_of(record: Record) -> Line:
    return {
        **body_of(record.seq, record.event),
        "previous": record.previous.hex(),
        "digest": record.digest.hex(),
    }


def line_of_link(link: Link) -> Line:
    """The record in full where the reader may see it, and what stands for it where not."""
    if link.record is not None:
        return line_of(link.record)
    return {
        "seq": link.seq,
        "content": link.content.hex(),
        "previous": link.previous.hex(),
        "digest": link.digest.hex(),
    }


def entry_of(line: object) -> Entry | None:
    """What a line says it is; None when it is neither a record nor what stands for one."""
    if not isinstance(line, dict):
        return None
    kinds = WITHHELD if "content" in line else SHOWN
    if line.keys() != kinds.keys() or not all(
        type(line[name]) is kind for name, kind in kinds.items()
    ):
        return None
    digests = [line[name] for name in ("previous", "digest", "content") if name in line]
    if not all(len(text) == DIGEST_LENGTH and HEX.issuperset(text) for text in digests):
        return None
    if "content" in line:
        content = bytes.fromhex(line["content"])
    else:
        if not all(isinstance(value, str) for value in line["detail"].values()):
            return None
        content = content_of({name: line[name] for name in FIELDS})
    return Entry(
        seq=line["seq"],
        previous=bytes.fromhex(line["previous"]),
        content=content,
        digest=bytes.fromhex(line["digest"]),
        line=line,
    )


def tampering(entries: Sequence[Entry], anchors: Mapping[int, bytes]) -> list[Finding]:
    """Everything that is wrong with records said to be the chain from the first to the last.

    `anchors` are digests vouched for elsewhere (signed heads, a receipt), by sequence number.
    A record that was replaced is told from its neighbours by what follows it: each record holds
    the digest of the one before, and trust runs backwards from the anchors.
    """
    found = list(_disorder(entries))
    by_seq = {entry.seq: entry for entry in reversed(entries)}
    found += _gaps(by_seq, anchors)
    found += _altered(by_seq)
    found += _strangers(by_seq, anchors)
    return sorted(found, key=lambda one: (one.seq or 0, one.what))


def _disorder(entries: Sequence[Entry]) -> Iterable[Finding]:
    seen: set[int] = set()
    highest = 0
    for entry in entries:
        if entry.seq in seen:
            yield _about(entry.seq, "repeated", "stands here more than once")
        elif entry.seq < highest:
            yield _about(entry.seq, "out-of-order", f"stands after record {highest}")
        seen.add(entry.seq)
        highest = max(highest, entry.seq)


def _gaps(by_seq: Mapping[int, Entry], anchors: Mapping[int, bytes]) -> Iterable[Finding]:
    """Between the first and the last, and up to the last that is vouched for."""
    if not by_seq:
        return
    last = max(*by_seq, *anchors) if anchors else max(by_seq)
    start = None
    for seq in range(min(by_seq), last + 2):
        missing = seq <= last and seq not in by_seq
        if missing and start is None:
            start = seq
        elif not missing and start is not None:
            what = f"and up to {seq - 1} are missing" if seq - 1 > start else "is missing"
            yield _about(start, "missing", what)
            start = None


def _altered(by_seq: Mapping[int, Entry]) -> Iterable[Finding]:
    for entry in by_seq.values():
        if digest_of(entry.previous, entry.content) != entry.digest:
            yield _about(entry.seq, "altered", "does not say what its digest was made of")
        if entry.seq == 1 and entry.previous != GENESIS:
            yield _about(1, "foreign", "is not the beginning of a chain")


def _strangers(by_seq: Mapping[int, Entry], anchors: Mapping[int, bytes]) -> Iterable[Finding]:
    for entry in by_seq.values():
        follower = by_seq.get(entry.seq + 1)
        if entry.seq in anchors:
            right = entry.digest == anchors[entry.seq]
        else:
            right = follower is None or follower.previous == entry.digest
        if not right:
            yield _about(
                entry.seq, "foreign", "is not the record that was chained here, or it was altered"
            )


def _about(seq: int, what: str, text: str) -> Finding:
    return Finding(what=what, seq=seq, text=f"record {seq} {text}")
