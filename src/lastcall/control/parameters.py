"""What operations are given, and in whose name they act."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from lastcall.control.records import Result
from lastcall.domain.access import Caller, operator
from lastcall.domain.errors import Invalid
from lastcall.domain.origin import Origin
from lastcall.domain.types import DialectName, TenantId
from lastcall.ports import Env

ORIGIN = Origin(dialect=DialectName("command-line"))


class Parameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What any operation may be given; each uses its own."""

    tenant: str = ""
    user: str = ""
    session: str = ""
    sessions: tuple[str, ...] = ()
    dialect: str = ""
    kind: str = ""
    address: str = ""
    text: str = ""
    password: str = ""
    reason: str = ""
    ended: bool = False
    everyone: bool = False
    before: int | None = None
    after: str = ""
    limit: int = 100
    app: str = ""
    about: Mapping[str, Any] = {}
    secrets: Mapping[str, str] = {}
    receipt: str = ""
    delivery: str = ""
    state: str = ""
    preview: str = ""
    plan: str = ""
    start: int | None = None


Operation = Callable[[Env, Parameters], Awaitable[Result]]


def caller_for(env: Env, given: Parameters) -> Caller:
    tenant = TenantId(given.tenant or ("default" if "default" in env.policies else ""))
    if not tenant and len(env.policies) == 1:
        tenant = next(iter(env.policies))
    if tenant not in env.policies:
        raise Invalid("tenant", f"must be one of {', '.join(env.policies)}")
    return operator(tenant, ORIGIN)
