"""The vendors' own examples, changed only in host and credentials, against a real server."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
from rocketchat_API.APIExceptions.RocketExceptions import RocketAuthenticationException
from rocketchat_API.rocketchat import RocketChat

from tests.e2e.server import PATIENCE, Server, demo, served

pytestmark = pytest.mark.e2e

SNIPPETS = Path(__file__).parent / "snippets"
NODE_MODULES = Path(__file__).parent / "node" / "node_modules"
ADMIN = {"username": "admin", "password": "Admin_1234"}
MONITOR = {"username": "monitor", "password": "Monitor_1234"}
JOHN = {"username": "john", "password": "johnpassword"}
DIRECT = {"no_proxy": "*", "NO_PROXY": "*"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """These tests log one another's people out, so they do not share the common one."""
    with demo(tmp_path_factory.mktemp("snippets")) as running:
        yield running


def snippet(name: str, changes: Mapping[str, str]) -> str:
    """An example as its page has it, with each of these texts replaced."""
    text = (SNIPPETS / f"{name}.txt").read_text(encoding="utf-8")
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    return text


def ran(words: list[str], **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env={**os.environ, **DIRECT, **environ},
        check=False,
    )


def curl(name: str, changes: Mapping[str, str], *more: str) -> str:
    """What a page's curl line prints, with further options at its end."""
    line = " ".join((snippet(name, changes).rstrip(), *more, "--silent", "--show-error"))
    done = ran(["bash", "-c", line])
    assert done.returncode == 0, done.stderr
    return done.stdout


# RSA: "Logout User", in the page's three languages.

RSA_HOST = "https://instance.securid.com"
RSA_REFUSAL = "The token is not valid for the command 'logoutUser'. Token is invalid or expired"


def rsa_token(server: Server) -> str:
    reply = requests.post(
        f"{server.url}/aveksa/command.submit?cmd=loginUser&format=json",
        data="<username>admin</username><password>Admin_1234</password>",
        timeout=30,
    )
    return str(reply.json()["data"]["token"])


def test_rsa_curl(server: Server) -> None:
    changes = {RSA_HOST: server.url, "<token>": rsa_token(server)}
    assert json.loads(curl("rsa-curl", changes)) == {"data": {"type": "logoutUser"}}
    assert RSA_REFUSAL in curl("rsa-curl", changes)


def test_rsa_python(server: Server, tmp_path: Path) -> None:
    script = tmp_path / "logout.py"
    script.write_text(snippet("rsa-python", {RSA_HOST: server.url, "<token>": rsa_token(server)}))
    assert ran([sys.executable, str(script)]).stdout == "{'data': {'type': 'logoutUser'}}\n"
    assert ran([sys.executable, str(script)]).stdout == "Request failed with status code 401\n"


def test_rsa_node(server: Server, tmp_path: Path) -> None:
    script = tmp_path / "logout.js"
    script.write_text(snippet("rsa-node", {RSA_HOST: server.url, "<token>": rsa_token(server)}))
    node = shutil.which("node") or "node"
    first = ran([node, str(script)], NODE_PATH=str(NODE_MODULES))
    assert first.stdout == "{ data: { type: 'logoutUser' } }\n", first.stderr
    second = ran([node, str(script)], NODE_PATH=str(NODE_MODULES))
    assert "status code 401" in second.stderr
    assert RSA_REFUSAL in second.stderr


# MultiTech: "Logging Out", its four forms and the one with the wrong password.

DEVICE = "https://192.168.2.1"
DEVICE_TOKEN = "ABCDEF1234567890ABCDEF12345678"


def device_login(server: Server, who: Mapping[str, str]) -> str:
    reply = requests.get(f"{server.url}/api/login", params=who, timeout=30).json()
    return str(reply["result"]["token"])


def device_knows(server: Server, token: str) -> bool:
    reply = requests.get(f"{server.url}/api/whoami", params={"token": token}, timeout=30)
    return reply.status_code == 200


@pytest.mark.parametrize("name", ["multitech-token", "multitech-password"])
def test_multitech_logs_oneself_out(server: Server, name: str) -> None:
    token = device_login(server, ADMIN)
    changes = {DEVICE: server.url}
    if name == "multitech-token":
        changes[DEVICE_TOKEN] = token
    text = curl(name, changes)
    assert '"code" : 200' in text
    assert '"status" : "success"' in text
    assert json.loads(text)["result"]["user"] == "admin"
    assert not device_knows(server, token)


@pytest.mark.parametrize(
    "name",
    [
        "multitech-other-by-token",
        "multitech-other-by-password",
        "multitech-other-by-default-password",
    ],
)
def test_multitech_logs_another_out(server: Server, name: str) -> None:
    admin, monitor = device_login(server, ADMIN), device_login(server, MONITOR)
    changes = {DEVICE: server.url}
    if name == "multitech-other-by-token":
        changes[DEVICE_TOKEN] = admin
    if name == "multitech-other-by-default-password":
        changes["password=admin&"] = f"password={ADMIN['password']}&"
    result = json.loads(curl(name, changes))["result"]
    assert (result["user"], result["permission"]) == ("monitor", "guest")
    assert (device_knows(server, admin), device_knows(server, monitor)) == (True, False)
    curl("multitech-password", {DEVICE: server.url})


def test_multitech_refuses_who_stands_lower(server: Server) -> None:
    admin, monitor = device_login(server, ADMIN), device_login(server, MONITOR)
    changes = {DEVICE: server.url, DEVICE_TOKEN: monitor, "logoutUser=monitor": "logoutUser=admin"}
    assert json.loads(curl("multitech-other-by-token", changes))["status"] == "fail"
    assert device_knows(server, admin)
    for token in (admin, monitor):
        curl("multitech-token", {DEVICE: server.url, DEVICE_TOKEN: token})


# SOAJS: the page's curl lines; the key they lack, and the session, come as headers.


def test_soajs(server: Server) -> None:
    host = {"http://127.0.0.1:4000": server.url}
    key = f"-H 'key: {server.demo()['soajs_key']}'"
    begun = json.loads(curl("soajs-login", host, key))
    assert begun["result"] is True
    assert begun["data"]["username"] == "john"
    session = f"-H 'soajsauth: {begun['soajsauth']}'"
    ended = json.loads(curl("soajs-logout", host, key, session))
    assert ended["result"] is True
    assert ended["data"]["username"] == "john"
    assert {"tenant ", "code"} <= set(ended["data"]["groupsConfig"][0])
    again = json.loads(curl("soajs-logout", host, key, session))
    assert (again["result"], again["data"]) == (True, True)


# Elvis: "logout", "logout and redirect", and the script in the page's comment.

DAM = "http://yourserver.com"


def elvis_login(server: Server) -> tuple[str, str]:
    """Its cookie and its CSRF token."""
    reply = requests.post(f"{server.url}/services/login", params=JOHN, timeout=30)
    return reply.cookies["authToken"], str(reply.json()["csrfToken"])


def elvis_knows(server: Server, token: str) -> bool:
    reply = requests.post(
        f"{server.url}/services/profile", headers={"Cookie": f"authToken={token}"}, timeout=30
    )
    return reply.status_code == 200


def test_elvis_logout(server: Server) -> None:
    token, csrf = elvis_login(server)
    cookie = f"--cookie 'authToken={token}'"
    wrong = curl("elvis-logout", {DAM: server.url}, cookie)
    assert json.loads(wrong)["errorcode"] == 403
    assert elvis_knows(server, token)
    text = curl("elvis-logout", {DAM: server.url, "<some_csrf_token>": csrf}, cookie)
    assert text == '{\n"logoutSuccess" : true\n}'
    assert not elvis_knows(server, token)


def test_elvis_logout_and_redirect(server: Server) -> None:
    token, _ = elvis_login(server)
    cookie = f"--cookie 'authToken={token}'"
    page = curl("elvis-redirect", {"http://demo.elvisdam.com": server.url}, cookie)
    assert '<a class="away" href="http://www.elvisdam.com"' in page
    assert not elvis_knows(server, token)


def test_elvis_logout_and_redirect_where_the_site_is_listed(tmp_path: Path) -> None:
    listed = '[dialects.elvis]\nredirect_hosts = ["http://www.elvisdam.com"]\n'
    with served(tmp_path, listed) as running:
        host = {"http://demo.elvisdam.com": running.url}
        head = curl("elvis-redirect", host, "--include")
    assert head.startswith("HTTP/1.1 302 ")
    assert "\nlocation: http://www.elvisdam.com\n" in head


POWERSHELL = "Mozilla/5.0 (Windows NT; Windows NT 10.0; en-US) WindowsPowerShell/5.1.22621.963"


@pytest.mark.parametrize("newline", ["", "%0A", "%0D%0A"])
def test_elvis_powershell(server: Server, newline: str) -> None:
    """`Invoke-RestMethod`, request by request; its quoted address may hold line ends."""
    query = newline.join(
        ("?", "cred=am9objpqb2hucGFzc3dvcmQ=", "&username=john", "&password=johnpassword")
    )
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    begun = invoked(server, f"/services/apilogin{query}", form)
    assert begun["loginSuccess"] is True
    token = begun["authToken"]
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    assert invoked(server, "/services/logout", headers) == {"logoutSuccess": True}
    assert invoked(server, "/services/logout", headers)["errorcode"] == 401


def invoked(server: Server, path: str, headers: Mapping[str, str]) -> Any:
    host = server.url.removeprefix("http://")
    with closing(HTTPConnection(host, timeout=30)) as connection:
        connection.putrequest("POST", path, skip_accept_encoding=True)
        connection.putheader("User-Agent", POWERSHELL)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.putheader("Content-Length", "0")
        connection.endheaders()
        return json.loads(connection.getresponse().read())


# Rocket.Chat: "Logout Session", and the Python client people use.

CHAT = "http://localhost:3000"


def chat_login(server: Server, user: str, password: str, **more: str) -> dict[str, str]:
    reply = requests.post(
        f"{server.url}/api/v1/login", json={"user": user, "password": password, **more}, timeout=30
    ).json()
    return {"X-User-Id": reply["data"]["userId"], "X-Auth-Token": reply["data"]["authToken"]}


def chat_status(server: Server, headers: Mapping[str, str]) -> int:
    return requests.get(f"{server.url}/api/v1/me", headers=headers, timeout=30).status_code


def chat_session(server: Server, headers: Mapping[str, str]) -> str:
    """The showable id of one's newest session."""
    query = urlencode({"count": 1, "offset": 0})
    listed = requests.get(
        f"{server.url}/api/v1/sessions/list?{query}", headers=headers, timeout=30
    ).json()
    return str(listed["sessions"][0]["sessionId"])


def test_rocketchat_logout_session(server: Server) -> None:
    admin = chat_login(server, "admin", "Admin_1234")
    john = chat_login(server, "john", "johnpassword")
    target = chat_session(server, john)
    changes = {
        CHAT: server.url,
        "CkCPNctrgCDfmWLqC": admin["X-User-Id"],
        "1Dd4iN_ClKn5jl-xPC36snQ4s9Zd5GZnXCQuCNSKcVE": admin["X-Auth-Token"],
        "tTouumJMrHMjnedWf": target,
    }
    wrong = json.loads(curl("rocketchat-logout-session", {**changes, "<code>": "0" * 64}))
    assert (wrong["success"], wrong["errorType"]) == (False, "totp-invalid")
    assert chat_status(server, john) == 200
    code = hashlib.sha256(b"Admin_1234").hexdigest()
    done = json.loads(curl("rocketchat-logout-session", {**changes, "<code>": code}))
    assert done == {"sessionId": target, "success": True}
    assert chat_status(server, john) == 401


def test_rocketchat_client(server: Server) -> None:
    with requests.Session() as session:
        client = RocketChat("john", "johnpassword", server_url=server.url, session=session)
        assert client.me()["username"] == "john"
        listed = client.call_api_get("sessions/list", count=10, offset=0)
        assert listed["total"] >= 1
        assert client.logout()["status"] == "success"
        assert chat_status(server, client.headers) == 401
        with pytest.raises(RocketAuthenticationException):
            RocketChat("john", "wrong", server_url=server.url, session=session)
