"""Each vendor as seen by a person: logging in there, and seeing whether one still is."""

import json
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lastcall.connectors import CONNECTORS
from lastcall.domain.delivery import DeliveryId
from lastcall.outward import Connector, Notice, Target, Told
from tests.connectors.making import notice, target
from tests.connectors.vendors.places import Place
from tests.fakes import FakeSigner
from tests.soajs.settings import TENANTS

PASSWORDS = {
    "admin": "Admin_1234",
    "engineer": "Engineer_1234",
    "monitor": "Monitor_1234",
    "john": "johnpassword",
}
OAUTH: Mapping[str, Any] = TENANTS["default"]


@dataclass(frozen=True, kw_only=True)
class Login:
    """One person's session: its token, its name for a notice (`sid`), the account's there."""

    token: str
    sid: str
    account: str


@dataclass(frozen=True, kw_only=True)
class Vendor:
    """`proves`: whether an end is seen. `by_user`: whether a notice without a sid ends all."""

    id: str
    connector: str
    log_in: Callable[[Place, str], Awaitable[Login]]
    alive: Callable[[Place, Login], Awaitable[bool]]
    settings: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    by_user: bool = False

    def made(self, place: Place) -> Connector:
        return CONNECTORS[self.connector](place.egress, FakeSigner())

    def target(self, place: Place, **secrets: str) -> Target:
        held = {**self.secrets, **secrets}
        if self.connector == "soajs":
            held.setdefault("key", place.soajs_key)
        return target(self.connector, {"url": place.url, **self.settings}, held)

    async def tell(self, place: Place, login: Login, **secrets: str) -> Told:
        named = told_of(place, login.sid, login.account)
        return await self.made(place).tell(self.target(place, **secrets), named)

    async def tell_all(self, place: Place, login: Login, **secrets: str) -> Told:
        named = told_of(place, "", login.account)
        return await self.made(place).tell(self.target(place, **secrets), named)


def told_of(place: Place, sid: str, account: str) -> Notice:
    now = place.now()
    return notice(
        sid=sid, account=account, at=now, now=now, delivery=DeliveryId("d_1"), jti="j" * 24
    )


async def _multitech(place: Place, user: str) -> Login:
    said = {"username": user, "password": PASSWORDS[user]}
    answer = await place.ask("POST", "/api/login", members=said)
    token = json.loads(answer.body)["result"]["token"]
    return Login(token=token, sid=token, account=user)


async def _multitech_alive(place: Place, login: Login) -> bool:
    return (await place.ask("GET", f"/api/whoami?token={login.token}")).status == 200


async def _urac(place: Place, user: str) -> Login:
    said = {"username": user, "password": PASSWORDS[user]}
    answer = await place.ask("POST", "/urac/login", {"key": place.soajs_key}, said)
    handle = json.loads(answer.body)["soajsauth"]
    return Login(token=handle, sid=handle, account=user)


async def _urac_alive(place: Place, login: Login) -> bool:
    headers = {"key": place.soajs_key, "soajsauth": login.token}
    path = f"/urac/account/getUser?username={login.account}"
    return (await place.ask("GET", path, headers)).status == 200


async def _oauth(place: Place, user: str) -> Login:
    pair = b64encode(f"{OAUTH['id']}:{OAUTH['oauth_secret']}".encode()).decode()
    headers = {"key": place.soajs_key, "authorization": f"Basic {pair}"}
    said = {"grant_type": "password", "username": user, "password": PASSWORDS[user]}
    grant = json.loads((await place.ask("POST", "/oauth/token", headers, said)).body)
    token = grant["access_token"]
    record = await _oauth_record(place, token, user)
    sid = f"{token}|{grant['refresh_token']}"
    return Login(token=token, sid=sid, account=record["data"]["_id"])


async def _oauth_record(place: Place, token: str, user: str) -> Any:
    headers = {"key": place.soajs_key, "authorization": f"Bearer {token}"}
    answer = await place.ask("GET", f"/urac:2/account/getUser?username={user}", headers)
    return json.loads(answer.body)


async def _oauth_alive(place: Place, login: Login) -> bool:
    record = await _oauth_record(place, login.token, "nobody")
    return bool(record["errors"]["codes"] == [405])


async def _elvis_api(place: Place, user: str) -> Login:
    path = f"/services/apilogin?username={user}&password={PASSWORDS[user]}"
    token = json.loads((await place.ask("POST", path)).body)["authToken"]
    return Login(token=token, sid=token, account=user)


async def _elvis_api_alive(place: Place, login: Login) -> bool:
    headers = {"authorization": f"Bearer {login.token}"}
    return (await place.ask("GET", "/services/profile", headers)).status == 200


async def _elvis(place: Place, user: str) -> Login:
    path = f"/services/login?username={user}&password={PASSWORDS[user]}"
    answer = await place.ask("POST", path)
    token = answer.headers["set-cookie"].partition("authToken=")[2].partition(";")[0]
    sid = f"{token}|{json.loads(answer.body)['csrfToken']}"
    return Login(token=token, sid=sid, account=user)


async def _elvis_alive(place: Place, login: Login) -> bool:
    headers = {"cookie": f"authToken={login.token}"}
    return (await place.ask("GET", "/services/profile", headers)).status == 200


async def _rsa(place: Place, user: str) -> Login:
    body = f"<username>{user}</username><password>{PASSWORDS[user]}</password>".encode()
    answer = await place.ask("POST", "/aveksa/command.submit?cmd=loginUser", body=body)
    token = answer.body.decode().strip().removeprefix("token=")
    return Login(token=token, sid=token, account=user)


async def _rsa_alive(place: Place, login: Login) -> bool:
    headers = {"authorization": f"Bearer {login.token}"}
    answer = await place.ask("GET", "/aveksa/command.submit?cmd=keepAlive", headers)
    return answer.status == 200


async def _rocketchat(place: Place, user: str) -> Login:
    said = {"user": user, "password": PASSWORDS[user]}
    data = json.loads((await place.ask("POST", "/api/v1/login", members=said)).body)["data"]
    login = Login(token=data["authToken"], sid="", account=data["userId"])
    listed = await place.ask("GET", "/api/v1/sessions/list", _rocketchat_headers(login))
    (own,) = (row for row in json.loads(listed.body)["sessions"] if row["current"])
    return Login(token=login.token, sid=own["sessionId"], account=login.account)


def _rocketchat_headers(login: Login) -> Mapping[str, str]:
    return {"x-user-id": login.account, "x-auth-token": login.token}


async def _rocketchat_alive(place: Place, login: Login) -> bool:
    return (await place.ask("GET", "/api/v1/me", _rocketchat_headers(login))).status == 200


ADMIN = {"username": "admin"}
PASSWORD = {"password": PASSWORDS["admin"]}

MULTITECH = Vendor(
    id="multitech",
    connector="multitech",
    log_in=_multitech,
    alive=_multitech_alive,
    settings=ADMIN,
    secrets=PASSWORD,
    by_user=True,
)
URAC = Vendor(id="soajs-urac", connector="soajs", log_in=_urac, alive=_urac_alive)
OAUTH_TOKENS = Vendor(
    id="soajs-oauth",
    connector="soajs",
    log_in=_oauth,
    alive=_oauth_alive,
    settings={**ADMIN, "api": "oauth", "tenant": OAUTH["id"]},
    secrets={**PASSWORD, "secret": OAUTH["oauth_secret"]},
    by_user=True,
)
ELVIS_API = Vendor(id="elvis-api", connector="elvis", log_in=_elvis_api, alive=_elvis_api_alive)
ELVIS = Vendor(id="elvis", connector="elvis", log_in=_elvis, alive=_elvis_alive)
RSA = Vendor(id="rsa", connector="rsa", log_in=_rsa, alive=_rsa_alive)
ROCKETCHAT = Vendor(
    id="rocketchat",
    connector="rocketchat",
    log_in=_rocketchat,
    alive=_rocketchat_alive,
    settings=ADMIN,
    secrets=PASSWORD,
    by_user=True,
)
VENDORS = (MULTITECH, URAC, OAUTH_TOKENS, ELVIS_API, ELVIS, RSA, ROCKETCHAT)
