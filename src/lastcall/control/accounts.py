"""Account files: one JSON object a line, read strictly, and made into accounts."""

import base64
import binascii
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from lastcall.authority.factors import BACKUP_CODE_LENGTH
from lastcall.authority.login import showable_id
from lastcall.domain.access import ROLES
from lastcall.domain.errors import AuthorityError
from lastcall.domain.subject import Subject
from lastcall.domain.token import digest_password
from lastcall.domain.types import Serial, SubjectId, TenantId
from lastcall.ports import Env

LONGEST_NAME = 255
TOTP_BYTES = 14
"""112 bits, the least a shared secret may have (NIST SP 800-63B-4)."""

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_NAME)]
Text = Annotated[str, msgspec.Meta(max_length=LONGEST_NAME)]
Digest = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-fA-F]{64}$")]


class Account(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line. The password, or the SHA-256 hex of it; secrets in the clear, kept sealed."""

    username: Name
    tenant: Text = ""
    password: Name | None = None
    password_sha256: Digest | None = None
    email: Text = ""
    name: Text = ""
    first_name: Text = ""
    last_name: Text = ""
    role: str = "monitor"
    groups: tuple[Name, ...] = ()
    profile: Mapping[str, Any] = msgspec.field(default_factory=dict)
    totp_secret: Text = ""
    backup_codes: tuple[str, ...] = ()
    email_codes: bool = False
    enabled: bool = True

    def __repr__(self) -> str:
        return f"Account(username={self.username!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    number: int
    account: Account


class BadLines(AuthorityError):
    """What is wrong with a file, line by line; nothing of it has been taken."""

    code = "bad-lines"

    def __init__(self, problems: Sequence[tuple[int, str]]) -> None:
        super().__init__(f"{len(problems)} bad lines")
        self.problems = tuple(problems)


def read_lines(text: str, tenant: TenantId, tenants: Sequence[TenantId]) -> Sequence[Line]:
    """The accounts of a file; blank lines are skipped. Raises `BadLines` with all that is wrong.

    `tenant` is for the lines that name none.
    """
    lines: list[Line] = []
    problems: list[tuple[int, str]] = []
    first: dict[tuple[str, str], int] = {}
    for number, raw in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        if not raw.strip():
            continue
        try:
            account = msgspec.json.decode(raw, type=Account)
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
            problems.append((number, _words(error)))
            continue
        account = msgspec.structs.replace(account, tenant=account.tenant or tenant)
        problems.extend((number, problem) for problem in _complaints(account, tenants))
        known = first.setdefault((account.tenant, account.username), number)
        if known != number:
            problems.append((number, f"username: is on line {known} already"))
        lines.append(Line(number=number, account=account))
    if problems:
        raise BadLines(problems)
    return lines


async def subject_of(env: Env, account: Account, id: SubjectId | None = None) -> Subject:
    """The account as it is kept: password hashed, TOTP secret sealed, backup codes as MACs."""
    known = id or SubjectId(showable_id(env.entropy))
    digest = account.password_sha256 or digest_password(account.password or "")
    secret = _bare(account.totp_secret)
    now = env.clock.now()
    return Subject(
        id=known,
        tenant=TenantId(account.tenant),
        username=account.username,
        password_hash=await env.passwords.hash(digest),
        role=account.role,
        version=Serial(0),
        created=now,
        changed=now,
        email=account.email,
        name=account.name,
        first_name=account.first_name,
        last_name=account.last_name,
        groups=account.groups,
        profile=account.profile,
        totp_secret=env.vault.seal(secret, f"totp:{known}") if secret else "",
        email_codes=account.email_codes,
        backup_codes=tuple(
            env.vault.mac("".join(code.split()), f"backup-code:{known}")
            for code in account.backup_codes
        ),
        enabled=account.enabled,
    )


def _complaints(account: Account, tenants: Sequence[TenantId]) -> Iterator[str]:
    if account.tenant not in tenants:
        yield f"tenant: must be one of {', '.join(tenants)}"
    if account.role not in ROLES:
        yield f"role: must be one of {', '.join(ROLES)}"
    if (account.password is None) == (account.password_sha256 is None):
        yield "password: exactly one of password and password_sha256 is needed"
    for field in ("username", "email", "name", "first_name", "last_name"):
        if not _plain(getattr(account, field)):
            yield f"{field}: holds characters that cannot be shown"
    if not all(map(_plain, account.groups)):
        yield "groups: hold characters that cannot be shown"
    if account.username != account.username.strip():
        yield "username: begins or ends with a space"
    if account.email and "@" not in account.email:
        yield "email: is not an address"
    yield from _factor_complaints(account)


def _factor_complaints(account: Account) -> Iterator[str]:
    if account.email_codes and not account.email:
        yield "email_codes: need an email"
    if account.totp_secret and not _is_secret(account.totp_secret):
        yield f"totp_secret: must be base32 of at least {TOTP_BYTES} bytes"
    if account.backup_codes and not account.totp_secret:
        yield "backup_codes: need a totp_secret"
    if any(len("".join(code.split())) != BACKUP_CODE_LENGTH for code in account.backup_codes):
        yield f"backup_codes: must have {BACKUP_CODE_LENGTH} characters each"


def _plain(text: str) -> bool:
    return not any(unicodedata.category(one) in ("Cc", "Cf", "Cs", "Zl", "Zp") for one in text)


def _bare(secret: str) -> str:
    return "".join(secret.split()).rstrip("=").upper()


def _is_secret(secret: str) -> bool:
    bare = _bare(secret)
    try:
        return len(base64.b32decode(bare + "=" * (-len(bare) % 8))) >= TOTP_BYTES
    except (binascii.Error, ValueError):
        return False


def _words(error: Exception) -> str:
    """What msgspec says, with the field in front; it never quotes a value."""
    text, _, place = str(error).partition(" - at `$")
    field = place.rstrip("`").lstrip(".")
    text = text.replace("`", "").replace("Object contains unknown field", "unknown field")
    return f"{field}: {text}" if field else text
