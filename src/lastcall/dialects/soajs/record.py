"""The user record, as a login, a logout and `getUser` show it."""

import hashlib

from lastcall.dialects.soajs.settings import ID, Group, Tenant
from lastcall.domain.subject import Subject
from lastcall.domain.types import SubjectId, TenantId

Record = dict[str, object]


def object_id(*parts: str) -> str:
    """24 hexadecimal digits that always are the same for the same thing."""
    return hashlib.sha256("\n".join(("soajs", *parts)).encode()).hexdigest()[:24]


def user_id(tenant: TenantId, subject: SubjectId) -> str:
    """The account's own id if it has the vendor's form, else one derived from it."""
    return subject if ID.fullmatch(subject) else object_id("user", tenant, subject)


def user(subject: Subject, tenant: Tenant) -> Record:
    """What `getUser` shows: everything but the password and the groups' own records."""
    return {
        "_id": user_id(subject.tenant, subject.id),
        **({"locked": True} if subject.username in tenant.locked else {}),
        "username": subject.username,
        "firstName": subject.first_name,
        "lastName": subject.last_name,
        "email": subject.email,
        "ts": subject.created,
        "status": "active" if subject.enabled else "inactive",
        "profile": dict(subject.profile),
        "groups": list(subject.groups),
        "config": {},
        "tenant": {"id": tenant.id, "code": tenant.code},
    }


def login_record(subject: Subject, tenant: Tenant, *, blanks: bool = False) -> Record:
    """The record with the groups' own; `blanks` for the keys as the page on logout has them."""
    shown = user(subject, tenant)
    if subject.groups:
        shown["groupsConfig"] = [
            _group(code, tenant.groups[code], tenant, " " if blanks else "")
            for code in subject.groups
            if code in tenant.groups
        ]
    return shown


def _group(code: str, group: Group, tenant: Tenant, blank: str) -> Record:
    return {
        "_id": group.id or object_id("group", tenant.id, code),
        **({"locked": True} if group.locked else {}),
        "code": code,
        "name": group.name,
        "description": group.description,
        f"tenant{blank}": {f"id{blank}": tenant.id, f"code{blank}": tenant.code},
    }
