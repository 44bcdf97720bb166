"""Making receipts, exports and heads to be verified, with real keys."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lastcall.authority.audit_heads import audit_links, sign_head
from lastcall.authority.logout import logout
from lastcall.authority.receipts import signed_receipt
from lastcall.authority.showing import shown_receipt
from lastcall.domain.access import operator
from lastcall.domain.canonical import canonical
from lastcall.domain.logout import OfSubject
from lastcall.domain.proof import line_of_link
from lastcall.domain.types import ReceiptId, SubjectId, TenantId
from lastcall.stores.heads import line_of_head
from lastcall.verify import Given, Report, check
from tests.authority.acts import begin, origin
from tests.world import OTHER, TENANT, World, make_world

SEED = bytes(range(32))


class Ed25519Signer:
    """The Signer port with one real key, made from a seed."""

    issuer = "https://lastcall.example"

    def __init__(self, seed: bytes = SEED, kid: str = "key-1") -> None:
        self.kid = kid
        self._key = Ed25519PrivateKey.from_private_bytes(seed)

    async def sign(self, claims: Mapping[str, object], *, typ: str, alg: str) -> str:
        return self.forge(claims, {"typ": typ, "alg": alg, "kid": self.kid})

    def forge(self, claims: Mapping[str, object], header: Mapping[str, Any]) -> str:
        """A good signature under whatever header."""
        return self.signed(dumped(header), dumped(claims))

    def signed(self, header: bytes, claims: bytes) -> str:
        signed = f"{encoded(header)}.{encoded(claims)}"
        return f"{signed}.{encoded(self._key.sign(signed.encode()))}"

    def jwks(self) -> Mapping[str, object]:
        x = encoded(self._key.public_key().public_bytes_raw())
        key = {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": self.kid, "use": "sig"}
        return {"keys": [{**key, "alg": "EdDSA"}]}

    async def rotate(self, alg: str | None = None) -> None:
        raise ValueError(f"one key for good, not {alg}")


def encoded(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def dumped(value: object) -> bytes:
    return json.dumps(value).encode()


@dataclass
class Proof:
    """Texts of the four files, and how they were signed."""

    world: World
    signer: Ed25519Signer
    receipt: str
    keys: str
    export: str
    heads: str
    ids: list[ReceiptId] = field(default_factory=list)

    def given(self, **changes: Any) -> Given:
        return Given(
            **{
                "receipt": self.receipt,
                "keys": self.keys,
                "export": self.export,
                "heads": self.heads,
                "now": self.world.clock.now(),
                **changes,
            }
        )

    def check(self, **changes: Any) -> Report:
        return check(self.given(**changes))

    @property
    def lines(self) -> list[str]:
        return self.export.splitlines()


async def prove() -> Proof:
    """Two tenants busy at once; a logout of john in the middle of the first one's records."""
    signer = Ed25519Signer()
    world = await make_world()
    world.env = replace(world.env, signer=signer)
    heads = []
    ids = []
    for tenant in (TENANT, OTHER, TENANT):
        await begin(world, "john", tenant=tenant)
        boss = operator(tenant, origin())
        done = await logout(world.env, boss, OfSubject(subject=SubjectId("u-john")), 'näh "so"')
        ids.append(done.receipt.revocation.id)
        heads.append(line_of_head(await sign_head(world.env)))
        world.clock.advance(1_000)
    await begin(world, "monitor")
    heads.append(line_of_head(await sign_head(world.env)))
    boss = operator(TENANT, origin())
    return Proof(
        world=world,
        signer=signer,
        receipt=await signed_receipt(world.env, boss, ids[0], shown_receipt),
        keys=json.dumps(signer.jwks()),
        export=await exported(world, TENANT),
        heads="".join(f"{line}\n" for line in heads),
        ids=ids,
    )


async def exported(world: World, tenant: TenantId) -> str:
    links = await audit_links(world.env, operator(tenant, origin()), 0, 1_000)
    return "".join(canonical(line_of_link(link)).decode() + "\n" for link in links)
