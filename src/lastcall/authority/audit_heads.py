"""Audit heads: how far the chain has come, signed, so that nothing before it can be changed."""

from lastcall.authority.refusals import refusals
from lastcall.authority.standing import standing
from lastcall.domain.access import Caller, Permission, require
from lastcall.domain.audit import Action, Link, SignedHead
from lastcall.domain.proof import HEAD_TYP
from lastcall.ports import Env

MOST = 1_000
"""Records in one page of an export, whatever was asked."""


async def sign_head(env: Env) -> SignedHead:
    """The durable head of the whole chain, signed now. One chain holds every tenant's records."""
    async with env.store.transaction(next(iter(env.policies))) as tx:
        head = await tx.head()
    return await _signed(env, *head)


async def audit_head(env: Env, caller: Caller) -> SignedHead:
    async with (
        refusals(env, caller, Action.LIST, "audit"),
        env.store.transaction(caller.tenant) as tx,
    ):
        require(await standing(tx, caller, env.clock.now()), Permission.AUDIT_READ)
        head = await tx.head()
    return await _signed(env, *head)


async def audit_links(env: Env, caller: Caller, after: int, limit: int) -> tuple[Link, ...]:
    """The chain above a sequence number: the tenant's records, and what stands for others'."""
    async with (
        refusals(env, caller, Action.LIST, "audit"),
        env.store.transaction(caller.tenant) as tx,
    ):
        require(await standing(tx, caller, env.clock.now()), Permission.AUDIT_READ)
        return tuple(await tx.links(after, min(limit, MOST)))


async def _signed(env: Env, seq: int, digest: bytes) -> SignedHead:
    at = env.clock.now()
    claims = {
        "iss": env.signer.issuer,
        "iat": at // 1_000,
        "head": {"seq": seq, "digest": digest.hex(), "at": at},
    }
    signed = await env.signer.sign(claims, typ=HEAD_TYP, alg="EdDSA")
    return SignedHead(seq=seq, digest=digest, at=at, signed=signed)
