"""How accounts, sessions and receipts look to an operator: plain JSON, stable names, no secrets."""

from collections.abc import Mapping
from typing import Any

from lastcall.authority.ending import Logout, words
from lastcall.domain.backup import Manifest
from lastcall.domain.session import Session
from lastcall.domain.subject import Subject, second_factors
from lastcall.wire import iso_time

Result = Mapping[str, Any]


def user_record(subject: Subject) -> Result:
    return {
        "id": subject.id,
        "tenant": subject.tenant,
        "username": subject.username,
        "name": subject.display_name,
        "email": subject.email,
        "role": subject.role,
        "groups": list(subject.groups),
        "second_factors": [str(method) for method in second_factors(subject)],
        "enabled": subject.enabled,
        "created": iso_time(subject.created),
        "changed": iso_time(subject.changed),
    }


def session_record(session: Session, username: str) -> Result:
    device, end = session.device, session.ended
    return {
        "id": session.id,
        "tenant": session.tenant,
        "subject": session.subject,
        "username": username,
        "impersonator": session.impersonator,
        "dialect": session.dialect,
        "kind": str(session.kind),
        "address": session.address,
        "port": session.port,
        "user_agent": session.user_agent,
        "device": " ".join(filter(None, (device.name, device.version))),
        "os": " ".join(filter(None, (device.os_name, device.os_version))),
        "factors": [str(factor.method) for factor in session.factors],
        "created": iso_time(session.created),
        "last_seen": iso_time(session.last_seen),
        "expires": iso_time(session.expires),
        "ended": None
        if end is None
        else {"at": iso_time(end.at), "by": end.by, "why": str(end.why)},
    }


def receipt_record(done: Logout) -> Result:
    """`complete` false: what is left is refused already, and its rows are being ended."""
    revocation = done.receipt.revocation
    return {
        "receipt": revocation.id,
        "tenant": revocation.tenant,
        "scope": words(revocation.scope),
        "at": iso_time(revocation.at),
        "reason": revocation.reason,
        "sessions_ended": done.receipt.sessions_ended,
        "complete": done.receipt.complete,
    }


def backup_record(manifest: Manifest) -> Result:
    copied = manifest.copied
    return {
        "made": iso_time(manifest.made),
        "version": manifest.version,
        "schema": copied.schema,
        "bytes": copied.size,
        "sha256": copied.sha256,
        "commits": copied.batch,
        "audit": {"seq": copied.seq, "digest": copied.digest},
        "rows": dict(copied.rows),
    }
