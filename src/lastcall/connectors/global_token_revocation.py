"""Global Token Revocation: one call that asks a service to forget everything of one user.

From draft-parecki-oauth-global-token-revocation: it always means the whole user.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

from lastcall.domain.delivery import Outcome
from lastcall.domain.types import Duration
from lastcall.outward import (
    Egress,
    NoAnswer,
    Notice,
    Setting,
    Signer,
    Target,
    Told,
    judged,
    unanswered,
)
from lastcall.telling import chosen, harmless, misset, nobody_named, one_of

FORMATS = ("iss_sub", "email", "opaque")
ALGORITHMS = ("RS256", "ES256", "EdDSA")
UNKNOWN_USER = ("done", "refused")
LIFE = Duration(60_000)


class GlobalTokenRevocation:
    name = "global-token-revocation"
    settings: Sequence[Setting] = (
        Setting(name="url", about="the service's global_token_revocation_endpoint"),
        Setting(
            name="format",
            about="how the user is named: iss_sub (default), email or opaque",
            required=False,
        ),
        Setting(
            name="issuer",
            about="the iss of iss_sub, where it is not this server's own",
            required=False,
        ),
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
        subject = self._subject(target, notice)
        if not all(subject.values()):
            return nobody_named()
        try:
            answer = await self._egress.request(
                "POST",
                target.settings.get("url", ""),
                headers={
                    "Content-Type": "application/json",
                    "Authorization": f"Bearer {await self._credential(target, notice)}",
                },
                body=json.dumps({"sub_id": subject}).encode("ascii"),
                within=target.client.timeout,
                private=target.client.private,
            )
        except NoAnswer as error:
            return unanswered(error)
        told = judged(answer)
        lenient = chosen(target, "unknown_user", UNKNOWN_USER) == "done"
        if answer.status == 404 and lenient:
            return replace(told, outcome=Outcome.DONE, error="user unknown there")
        return told

    async def test(self, target: Target, notice: Notice) -> Told:
        return await self.tell(target, harmless(notice))

    def _subject(self, target: Target, notice: Notice) -> Mapping[str, str]:
        """An RFC 9493 subject identifier."""
        match chosen(target, "format", FORMATS):
            case "email":
                return {"format": "email", "email": notice.email}
            case "opaque":
                return {"format": "opaque", "id": notice.account}
            case _:
                issuer = target.settings.get("issuer") or self._signer.issuer
                return {"format": "iss_sub", "iss": issuer, "sub": notice.account}

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
