"""SOAJS: logs a stored handle out of urac 0.x, or deletes tokens at oauth 1.x and later."""

from collections.abc import Sequence
from dataclasses import replace

from lastcall.connectors.soajs.oauth import by_token
from lastcall.connectors.soajs.urac import by_handle
from lastcall.errand import Errand, problems
from lastcall.outward import Egress, Notice, Setting, Signer, Target, Told
from lastcall.telling import chosen, harmless, one_of

APIS = ("urac", "oauth")
CHOICES = {"api": APIS, "trust_zero": ("no", "yes")}

FOR_OAUTH = ("tenant", "secret", "username", "password")


class Soajs:
    """With `urac` the `sid` is a session's handle or id; with `oauth` an access token, or that,
    a bar and the refresh token. The account is a user name there, with `oauth` an `_id`.
    """

    name = "soajs"
    settings: Sequence[Setting] = (
        Setting(name="url", about="where the gateway answers"),
        Setting(name="key", about="the tenant's external key", secret=True),
        Setting(
            name="api", about="urac (0.x, the default) or oauth (1.x and later)", required=False
        ),
        Setting(name="tenant", about="oauth: the tenant's id", required=False),
        Setting(name="secret", about="oauth: the tenant's secret", required=False, secret=True),
        Setting(name="username", about="oauth: a user who may delete tokens", required=False),
        Setting(name="password", about="oauth: that user's password", required=False, secret=True),
        Setting(
            name="trust_zero",
            about="oauth: yes where to have deleted nothing means that there was nothing (2.5.24"
            " and later); no by default",
            required=False,
        ),
    )

    def __init__(self, egress: Egress, _signer: Signer) -> None:
        self._egress = egress

    def problems(self, target: Target) -> Sequence[str]:
        found = problems(target, self.settings)
        for name, choices in CHOICES.items():
            found += one_of(target, name, choices)
        if chosen(target, "api", APIS) == "oauth":
            given = {**target.settings, **target.secrets}
            found += [f"{name}: is missing" for name in FOR_OAUTH if not given.get(name)]
        return found

    async def tell(self, target: Target, notice: Notice) -> Told:
        errand = Errand(self._egress, target)
        if chosen(target, "api", APIS) == "oauth":
            return await by_token(errand, notice)
        return await by_handle(errand, notice)

    async def test(self, target: Target, notice: Notice) -> Told:
        """A handle nobody has logs nobody out, and an id nobody has has no tokens to delete."""
        nobody = harmless(notice)
        if chosen(target, "api", APIS) == "urac":
            return await self.tell(target, replace(nobody, sid=f"{notice.jti:-<32.32}"))
        trusting = replace(target.client, settings={**target.settings, "trust_zero": "yes"})
        return await self.tell(replace(target, client=trusting), replace(nobody, sid=""))
