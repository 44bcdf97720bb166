"""OpenID Connect Back-Channel Logout 1.0, errata set 1: a signed logout token, posted as a form."""

from collections.abc import Sequence

from lastcall.domain.client import Naming
from lastcall.domain.types import Duration
from lastcall.outward import Egress, Notice, Setting, Signer, Target, Told
from lastcall.telling import (
    ALGORITHMS,
    PROBE,
    chosen,
    harmless,
    misset,
    nobody_named,
    one_of,
    posted,
    probed,
)

EVENT = "http://schemas.openid.net/event/backchannel-logout"
LIFE = Duration(120_000)


class Backchannel:
    name = "backchannel"
    settings: Sequence[Setting] = (
        Setting(name="uri", about="the client's backchannel_logout_uri"),
        Setting(name="client_id", about="the client's OAuth client_id, the token's audience"),
        Setting(
            name="alg",
            about="how its ID tokens are signed: RS256 (default), ES256 or EdDSA",
            required=False,
        ),
        *PROBE,
    )

    def __init__(self, egress: Egress, signer: Signer) -> None:
        self._egress = egress
        self._signer = signer

    def problems(self, target: Target) -> Sequence[str]:
        return [
            *misset(target, self.settings, urls=("uri", "probe_url")),
            *one_of(target, "alg", ALGORITHMS),
        ]

    async def tell(self, target: Target, notice: Notice) -> Told:
        named = _named(target, notice)
        if not named:
            return nobody_named()
        return await probed(self._egress, target, notice, self._post(target, notice, named))

    async def test(self, target: Target, notice: Notice) -> Told:
        nobody = harmless(notice)
        return await self._post(target, nobody, _named(target, nobody))

    async def _post(self, target: Target, notice: Notice, named: dict[str, str]) -> Told:
        issued = notice.now // 1000
        token = await self._signer.sign(
            {
                "iss": self._signer.issuer,
                "aud": target.settings.get("client_id", ""),
                "iat": issued,
                "exp": issued + LIFE // 1000,
                "jti": notice.jti,
                "events": {EVENT: {}},
                **named,
            },
            typ="logout+jwt",
            alg=chosen(target, "alg", ALGORITHMS),
        )
        return await posted(
            self._egress,
            target,
            target.settings.get("uri", ""),
            {"Content-Type": "application/x-www-form-urlencoded"},
            f"logout_token={token}".encode("ascii"),  # nothing in a JWS to be escaped
        )


def _named(target: Target, notice: Notice) -> dict[str, str]:
    """`sid`, `sub` or both; without `sid` all of the account's sessions there are meant (2.4)."""
    naming = target.client.naming
    sid = "" if naming is Naming.SUB else notice.sid
    sub = "" if naming is Naming.SID and sid else notice.account
    return {name: value for name, value in (("sid", sid), ("sub", sub)) if value}
