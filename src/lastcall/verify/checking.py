"""Checking what is given about a logout, and naming everything in it that is not right."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lastcall.domain.audit import digest_of
from lastcall.domain.canonical import canonical
from lastcall.domain.proof import (
    HEAD_TYP,
    RECEIPT_TYP,
    Entry,
    Finding,
    entry_of,
    tampering,
)
from lastcall.domain.types import MINUTE, Instant
from lastcall.verify.jose import Keys, NotGenuine, compact, keys_of, opened, plain_json

AHEAD = 5 * MINUTE
"""How far a clock may be ahead of ours, in milliseconds."""

CLAIMS = {"iss": str, "iat": int, "tenant": str, "receipt": dict, "audit": dict}
PLACE = {"seq": int, "previous": str, "digest": str, "record": dict}
HEAD = {"seq": int, "digest": str, "at": int}


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The texts of files. `export` and `heads` are None where there are none to check.

    `tenant` and `issuer`, unless empty, are whose receipt it must be, and from whom.
    """

    receipt: str
    keys: str
    export: str | None = None
    heads: str | None = None
    tenant: str = ""
    issuer: str = ""
    now: Instant


@dataclass(slots=True)
class Report:
    """`checked` says what was found right, `findings` what was not; `claims` are the signed ones,
    empty unless the signature is good."""

    claims: Mapping[str, Any] = field(default_factory=dict)
    checked: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not self.findings

    def wrong(self, what: str, text: str, seq: int | None = None) -> None:
        self.findings.append(Finding(what=what, seq=seq, text=text))


def check(given: Given) -> Report:
    """Everything that can be said; without a good signature, nothing else is looked at."""
    report = Report()
    try:
        keys = keys_of(given.keys)
        claims = opened(compact(given.receipt), keys, RECEIPT_TYP)
    except NotGenuine as error:
        report.wrong("forged", f"the receipt: {error}")
        return report
    before = len(report.findings)
    _claims(report, claims, given)
    if len(report.findings) > before:
        return report
    report.claims = claims
    report.checked.append("the receipt is signed by one of the keys, and agrees with itself")
    anchors = {claims["audit"]["seq"]: bytes.fromhex(claims["audit"]["digest"])}
    if given.heads is not None:
        _heads(report, given.heads, keys, claims, anchors)
    if given.export is not None:
        _export(report, given.export, claims, anchors)
    return report


def _claims(report: Report, claims: Mapping[str, Any], given: Given) -> None:
    place = claims.get("audit")
    if not _shaped(claims, CLAIMS) or not _shaped(place, PLACE):
        return report.wrong("unreadable", "the receipt: it does not say what a receipt says")
    assert isinstance(place, dict)
    receipt, entry = claims["receipt"], entry_of(place["record"])
    if entry is None or not _same_place(entry, place):
        return report.wrong("altered", "the receipt: its audit record does not match its place")
    record = entry.line
    detail = record["detail"]
    assert isinstance(detail, dict)
    if detail.get("receipt") != receipt.get("id"):
        report.wrong("foreign", "the receipt: its audit record is of another logout")
    if not (claims["tenant"] == receipt.get("tenant") == record["tenant"]):
        report.wrong("foreign", "the receipt: its audit record is of another tenant")
    if given.tenant and claims["tenant"] != given.tenant:
        report.wrong("foreign", f"the receipt: it is not of the tenant {given.tenant}")
    if given.issuer and claims["iss"] != given.issuer:
        report.wrong("foreign", f"the receipt: it was not issued by {given.issuer}")
    if claims["iat"] * 1_000 > given.now + AHEAD:
        report.wrong("future", "the receipt: it is dated in the future")
    if receipt.get("finished") is not True:
        report.wrong("unfinished", "the receipt: it is not of a finished logout")
    return None


def _same_place(entry: Entry, place: Mapping[str, Any]) -> bool:
    return (
        entry.shown
        and digest_of(entry.previous, entry.content) == entry.digest
        and (entry.seq, entry.previous.hex(), entry.digest.hex())
        == (place["seq"], place["previous"], place["digest"])
    )


def _heads(
    report: Report,
    text: str,
    keys: Keys,
    claims: Mapping[str, Any],
    anchors: dict[int, bytes],
) -> None:
    """Every head must be genuine, and none may take back what another said."""
    before, count = len(report.findings), 0
    newest = (0, 0)
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        count += 1
        try:
            head = _head(line, keys, claims["iss"])
        except NotGenuine as error:
            report.wrong("forged", f"head in line {number}: {error}")
            continue
        seq, digest = head["seq"], bytes.fromhex(head["digest"])
        if (seq, head["at"]) < newest or head["at"] < newest[1]:
            report.wrong("out-of-order", f"head in line {number}: it is older than the one before")
        newest = max(newest, (seq, head["at"]))
        if anchors.setdefault(seq, digest) != digest:
            report.wrong(
                "foreign", f"head in line {number}: record {seq} has another digest elsewhere", seq
            )
    if len(report.findings) == before:
        report.checked.append(f"{count} signed heads agree with each other and with the receipt")


def _head(line: str, keys: Keys, issuer: str) -> Mapping[str, Any]:
    try:
        shown = plain_json(line)
    except ValueError as error:
        raise NotGenuine("it cannot be read") from error
    if not _shaped(shown, {**HEAD, "signed": str}):
        raise NotGenuine("it cannot be read")
    claims = opened(shown["signed"], keys, HEAD_TYP)
    said = claims.get("head")
    if not _shaped(said, HEAD) or said != {name: shown[name] for name in HEAD}:
        raise NotGenuine("what it shows is not what was signed")
    if claims.get("iss") != issuer:
        raise NotGenuine("it was issued by another authority")
    assert isinstance(said, dict)
    return said


def _export(
    report: Report, text: str, claims: Mapping[str, Any], anchors: Mapping[int, bytes]
) -> None:
    before = len(report.findings)
    entries = _entries(report, text)
    report.findings += tampering(entries, anchors)
    for entry in entries:
        if entry.shown and entry.line["tenant"] != claims["tenant"]:
            report.wrong("foreign", f"record {entry.seq} is of another tenant", entry.seq)
    seq = claims["audit"]["seq"]
    if all(entry.seq != seq for entry in entries):
        report.wrong("missing", f"record {seq}, the receipt's own, is not in the export", seq)
    if len(report.findings) == before:
        report.checked.append(
            f"{len(entries)} records, {entries[0].seq} to {entries[-1].seq}, are one chain;"
            f" the receipt's own is number {seq}"
        )


def _entries(report: Report, text: str) -> Sequence[Entry]:
    """Lines that can be read, exactly as they were written; the others are named."""
    entries = []
    last = 0
    for number, line in enumerate(text.removesuffix("\n").split("\n"), 1):
        try:
            value = plain_json(line)
        except ValueError:
            value = None
        entry = entry_of(value)
        if entry is None or canonical(entry.line) != line.encode("utf-8", "surrogatepass"):
            near = f" (about record {last + 1})" if last else ""
            report.wrong("altered", f"line {number} of the export{near} is not as it was written")
            continue
        last = entry.seq
        entries.append(entry)
    return entries


def _shaped(value: object, shape: Mapping[str, type]) -> bool:
    """An object with these members of these types, and no others."""
    return (
        isinstance(value, dict)
        and value.keys() == shape.keys()
        and all(type(value[name]) is kind for name, kind in shape.items())
    )
