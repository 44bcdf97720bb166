"""The twelve faces of the wires: what each is sent, and what is learnt from its answers."""

import json
import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from urllib.parse import quote, urlencode

from lastcall.dialects.soajs.handles import sid_of
from lastcall.domain.subject import Subject
from lastcall.wire import Reply
from tests.access.driving import BY_NAME, Ask, Wire, as_json, cookie_of, json_of, only, with_bearer
from tests.world import TENANT

# MultiTech


def multitech(method: str, path: str) -> Callable[[Mapping[str, str], Subject], Ask]:
    return lambda shown, _who: Ask(method, f"{path}?token={quote(shown['token'])}")


MULTITECH = Wire(
    name="multitech",
    dialect="multitech",
    login=lambda who, password: Ask(
        "GET", "/api/login?" + urlencode({"username": who.username, "password": password})
    ),
    learn=lambda reply: only(token=json_of(reply).get("result", {}).get("token")),
    check=multitech("GET", "/api/whoami"),
    logout=multitech("GET", "/api/logout"),
)

MULTITECH_COOKIE = Wire(
    name="multitech by cookie",
    dialect="multitech",
    login=lambda who, password: Ask(
        "POST",
        "/api/login",
        {"User-Agent": "Mozilla/5.0"},
        json.dumps({"username": who.username, "password": password}).encode(),
    ),
    learn=lambda reply: only(token=cookie_of(reply)),
    check=lambda shown, _who: Ask("GET", "/api/whoami", {"Cookie": f"token={shown['token']}"}),
    logout=lambda shown, _who: Ask("GET", "/api/logout", {"Cookie": f"token={shown['token']}"}),
    cookie=True,
)

# SOAJS


def _soajs(who: Subject, **more: str) -> dict[str, str]:
    return {"key": f"key-of-{who.tenant}", **more}


def _soajs_sid(handle: str) -> str:
    """A handle looks different each time; the sid in it is what the store knows."""
    return sid_of(handle) or ""


def _soajs_learn(reply: Reply) -> Mapping[str, str]:
    handle = json_of(reply).get("soajsauth", "")
    return only(token=_soajs_sid(handle), handle=handle, cookie=cookie_of(reply))


SOAJS = Wire(
    name="soajs",
    dialect="soajs",
    login=lambda who, password: as_json(
        "POST", "/urac/login", {"username": who.username, "password": password}, **_soajs(who)
    ),
    learn=_soajs_learn,
    check=lambda shown, who: Ask(
        "GET",
        f"/urac/account/getUser?username={who.username}",
        _soajs(who, soajsauth=shown["handle"]),
    ),
    logout=lambda shown, who: Ask("GET", "/urac/logout", _soajs(who, soajsauth=shown["handle"])),
)

SOAJS_COOKIE = Wire(
    name="soajs by cookie",
    dialect="soajs",
    login=SOAJS.login,
    learn=_soajs_learn,
    check=lambda shown, who: Ask(
        "GET",
        f"/urac/account/getUser?username={who.username}",
        _soajs(who, Cookie=f"soajsID={shown['cookie']}"),
    ),
    logout=lambda shown, who: Ask(
        "GET", "/urac/logout", _soajs(who, Cookie=f"soajsID={shown['cookie']}")
    ),
    cookie=True,
)


def _oauth_client(who: Subject) -> str:
    digit = "1" if who.tenant == TENANT else "2"
    return "Basic " + b64encode(f"{digit * 24}:oauth-secret".encode()).decode()


OAUTH = Wire(
    name="soajs oauth",
    dialect="soajs",
    login=lambda who, password: as_json(
        "POST",
        "/oauth/token",
        {"grant_type": "password", "username": who.username, "password": password},
        Authorization=_oauth_client(who),
        **_soajs(who),
    ),
    learn=lambda reply: only(
        token=json_of(reply).get("access_token"), refresh=json_of(reply).get("refresh_token")
    ),
    check=lambda shown, who: Ask(
        "GET",
        f"/urac:2/account/getUser?username={who.username}",
        _soajs(who, Authorization=f"Bearer {shown['token']}"),
    ),
    logout=lambda shown, who: Ask(
        "DELETE",
        f"/oauth/accessToken/{shown['token']}",
        _soajs(who, Authorization=f"Bearer {shown['token']}"),
    ),
)

# Elvis


def _elvis_login(who: Subject, password: str) -> Ask:
    return Ask(
        "POST",
        "/services/login?" + urlencode({"username": who.username, "password": password}),
    )


ELVIS = Wire(
    name="elvis",
    dialect="elvis",
    login=_elvis_login,
    learn=lambda reply: only(token=cookie_of(reply), csrf=json_of(reply).get("csrfToken")),
    check=lambda shown, _who: Ask(
        "GET", "/services/profile", {"Cookie": f"authToken={shown['token']}"}
    ),
    logout=lambda shown, _who: Ask(
        "POST",
        "/services/logout",
        {"Cookie": f"authToken={shown['token']}", "X-CSRF-TOKEN": shown["csrf"]},
    ),
    cookie=True,
)

ELVIS_REDIRECT = Wire(
    name="elvis that leads on",
    dialect="elvis",
    login=_elvis_login,
    learn=ELVIS.learn,
    check=ELVIS.check,
    logout=lambda shown, _who: Ask("GET", "/logout", {"Cookie": f"authToken={shown['token']}"}),
    cookie=True,
)

ELVIS_API = Wire(
    name="elvis api",
    dialect="elvis",
    login=lambda who, password: Ask(
        "POST",
        "/services/apilogin?" + urlencode({"username": who.username, "password": password}),
    ),
    learn=lambda reply: only(token=json_of(reply).get("authToken")),
    check=with_bearer("GET", "/services/profile"),
    logout=with_bearer("POST", "/services/logout"),
)

# RSA

RSA_LOGIN = "<username>{}</username><password>{}</password>"


def _rsa(command: str) -> str:
    return f"/aveksa/command.submit?cmd={command}"


RSA = Wire(
    name="rsa",
    dialect="rsa",
    login=lambda who, password: Ask(
        "POST", _rsa("loginUser"), {}, RSA_LOGIN.format(who.username, password).encode()
    ),
    learn=lambda reply: only(
        token=(re.search(rb"^token=(\S+)", reply.body) or [b"", b""])[1].decode()
    ),
    check=with_bearer("POST", _rsa("keepAlive")),
    logout=with_bearer("POST", _rsa("logoutUser")),
)

# Rocket.Chat


def rocketchat(shown: Mapping[str, str]) -> dict[str, str]:
    return {"X-User-Id": shown["user"], "X-Auth-Token": shown["token"]}


ROCKETCHAT = Wire(
    name="rocketchat",
    dialect="rocketchat",
    login=lambda who, password: as_json(
        "POST", "/api/v1/login", {"user": who.username, "password": password}
    ),
    learn=lambda reply: only(
        token=json_of(reply).get("data", {}).get("authToken"),
        user=json_of(reply).get("data", {}).get("userId"),
    ),
    check=lambda shown, _who: Ask("GET", "/api/v1/me", rocketchat(shown)),
    logout=lambda shown, _who: Ask("POST", "/api/v1/logout", rocketchat(shown)),
)

# Native

NATIVE = Wire(
    name="native",
    dialect="native",
    login=lambda who, password: as_json(
        "POST", "/v1/login", {"username": who.username, "password": password}
    ),
    learn=lambda reply: only(token=json_of(reply).get("token")),
    check=with_bearer("GET", "/v1/session"),
    logout=with_bearer("POST", "/v1/logout"),
)


def _native_cookie(shown: Mapping[str, str]) -> dict[str, str]:
    return {"Cookie": f"__Host-lastcall={shown['token']}"}


NATIVE_COOKIE = Wire(
    name="native by cookie",
    dialect="native",
    login=lambda who, password: as_json(
        "POST", "/v1/login", {"username": who.username, "password": password, "cookie": True}
    ),
    learn=lambda reply: only(token=cookie_of(reply), csrf=json_of(reply).get("csrf")),
    check=lambda shown, _who: Ask("GET", "/v1/session", _native_cookie(shown)),
    logout=lambda shown, _who: Ask(
        "POST", "/v1/logout", {**_native_cookie(shown), "X-CSRF-Token": shown["csrf"]}
    ),
    cookie=True,
)

WIRES = tuple(
    wire
    for wire in (
        NATIVE,
        NATIVE_COOKIE,
        MULTITECH,
        MULTITECH_COOKIE,
        SOAJS,
        SOAJS_COOKIE,
        OAUTH,
        ELVIS,
        ELVIS_REDIRECT,
        ELVIS_API,
        RSA,
        ROCKETCHAT,
    )
    if wire.dialect in BY_NAME
)
COOKIE_WIRES = tuple(wire for wire in WIRES if wire.cookie)
