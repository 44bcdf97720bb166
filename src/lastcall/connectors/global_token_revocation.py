"""Global Token Revocation: one call that asks a service to forget everything of one user.

From draft-parecki-oauth-global-token-revocation: it always means the whole user.
"""

import json
from collections.abc import Sequence
from dataclasses import replace

from lastcall.domain.delivery import Outcome
from lastcall.domain.types import Duration
from lastcall.outward import Egress, Notice, Setting, Signer, Target, Told
from lastcall.telling import (
    ALGORITHMS,
    FORMATS,
    NAMING,
    chosen,
    harmless,
    identifier,
    misset,
    nobody_named,
    one_of,
    posted,
)

UNKNOWN_USER = ("done", "refused")
LIFE = Duration(60_000)


class GlobalTokenRevocation:
    name = "global-token-revocation"
    settings: Sequence[Setting] = (
        Setting(name="url", about="the service's global_token_revocation_endpoint"),
        *NAMING,
        Setting(
            name="token",
            about="the bearer token; without it a signed one is sent",
            required=False,
            secret=True,
        ),
        Setting(
            name="audience",
            about="the aud of the signed token (default: the url)",
            required=False,
        ),
        Setting(
            name="alg",
            about="how the signed token is signed: RS256 (default), ES256 or EdDSA",
            required=False,
        ),
        Setting(
            name="unknown_user",
            about="what a 404 means: done (default: nobody is logged in there) or refused",
            required=False,
        ),
    )

    def __init__(self, egress: Egress, signer: Signer) -> None:
        self._egress = egress
        self._signer = signer

    def problems(self, target: Target) -> Sequence[str]:
        return [
            *misset(target, self.settings, urls=("url",)),
            *one_of(target, "format", FORMATS),
            *one_of(target, "alg", ALGORITHMS),
            *one_of(target, "unknown_user", UNKNOWN_USER),
        ]

    async def tell(self, target: Target, notice: Notice) -> Told:
        subject = identifier(target, notice, self._signer.issuer)
        if subject is None:
            return nobody_named()
        told = await posted(
            self._egress,
            target,
            target.settings.get("url", ""),
            {
                "Content-Type": "application/json",
                "Authorization": f"Bearer {await self._credential(target, notice)}",
            },
            json.dumps({"sub_id": subject}).encode("ascii"),
        )
        lenient = chosen(target, "unknown_user", UNKNOWN_USER) == "done"
        if told.status == 404 and lenient:
            return replace(told, outcome=Outcome.DONE, error="user unknown there")
        return told

    async def test(self, target: Target, notice: Notice) -> Told:
        return await self.tell(target, harmless(notice))

    async def _credential(self, target: Target, notice: Notice) -> str:
        token = target.secrets.get("token", "")
        if token:
            return token
        issued = notice.now // 1000
        claims = {
            "iss": self._signer.issuer,
            "sub": self._signer.issuer,
            "aud": target.settings.get("audience") or target.settings.get("url", ""),
            "iat": issued,
            "exp": issued + LIFE // 1000,
            "jti": notice.jti,
        }
        alg = chosen(target, "alg", ALGORITHMS)
        return await self._signer.sign(claims, typ="JWT", alg=alg)
