"""Introspect: tell an application whether a token is good, which by itself is no use of it."""

from lastcall.authority.validate import validate
from lastcall.domain.access import Caller
from lastcall.domain.errors import NotAuthenticated
from lastcall.domain.origin import Origin
from lastcall.domain.types import TenantId
from lastcall.ports import Env


async def introspect(
    env: Env,
    tenant: TenantId | None,
    token: str,
    origin: Origin,
    *,
    counts_as_use: bool = False,
) -> Caller | None:
    """Who a token of any wire stands for; None for every token that does not count.

    `tenant` None is for a service trusted by all tenants. (RFC 7662 2.2: inactive, not an error.)
    `counts_as_use` is for one that says that the session has just been used.
    """
    try:
        return await validate(
            env, tenant, token, origin, dialects=None, counts_as_use=counts_as_use
        )
    except NotAuthenticated:
        return None
