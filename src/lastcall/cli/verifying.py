"""`lastcall verify`: a signed receipt, checked without a server and without an account."""

import time
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from lastcall.cli.asking import read_text
from lastcall.cli.output import Exit, Stop, put, put_json, put_table, say
from lastcall.domain.types import Instant
from lastcall.verify import Given, Report, check

KEYS = "jwks.json"
Flag = Parameter(negative=())
Source = Annotated[Path, Parameter(allow_leading_hyphen=True)]

FACTS = (
    ("receipt", "id"),
    ("verdict", "verdict"),
    ("asked by", "by_name"),
    ("at", "at"),
    ("scope", "words"),
    ("reason", "reason"),
    ("sessions ended", "sessions_ended"),
)


def verify(
    receipt: Source,
    /,
    *,
    jwks: Path | None = None,
    audit: Path | None = None,
    heads: Path | None = None,
    tenant: str = "",
    issuer: str = "",
    json: Annotated[bool, Flag] = False,
) -> Exit:
    """Check a signed receipt offline, and what else is given against it.

    Parameters
    ----------
    receipt
        The signed receipt, or - for standard input.
    jwks
        The public keys, had from a place you trust; jwks.json beside the receipt unless given.
    audit
        An export of the audit log: every record is checked, and the receipt's must be among them.
    heads
        Signed heads of the audit log: the export must agree with every one.
    tenant
        Whose receipt it must be.
    issuer
        Who must have signed it.
    json
        Write JSON.
    """
    keys = jwks or receipt.parent / KEYS
    if jwks is None and not keys.is_file():
        raise Stop("say with --jwks which keys to check it with", Exit.USAGE)
    given = Given(
        receipt=read_text(receipt),
        keys=read_text(keys),
        export=None if audit is None else read_text(audit),
        heads=None if heads is None else read_text(heads),
        tenant=tenant,
        issuer=issuer,
        now=Instant(time.time_ns() // 1_000_000),
    )
    report = check(given)
    if json:
        put_json(_shown(report))
    else:
        _put(report)
    return Exit.OK if report.good else Exit.ERROR


def _put(report: Report) -> None:
    if report.claims:
        shown = report.claims["receipt"]
        rows: list[tuple[str, Any]] = [(name, shown.get(member)) for name, member in FACTS]
        rows += [("tenant", report.claims["tenant"]), ("signed by", report.claims["iss"])]
        put_table(("THE RECEIPT", "SAYS"), rows)
        put()
    for line in report.checked:
        put(f"good: {line}")
    for finding in report.findings:
        say(f"WRONG: {finding.text}")
    put("verified" if report.good else "NOT verified")


def _shown(report: Report) -> Any:
    return {
        "good": report.good,
        "checked": report.checked,
        "findings": [
            {"what": one.what, "seq": one.seq, "text": one.text} for one in report.findings
        ],
        "receipt": report.claims.get("receipt"),
        "audit": report.claims.get("audit"),
        "tenant": report.claims.get("tenant"),
        "issuer": report.claims.get("iss"),
    }
