"""What is demonstrated: accounts to try, applications to be told, and lines to paste."""

import base64
import json
import os
import socket
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from lastcall.authority.subjects import add_subjects, taken_names
from lastcall.control.accounts import Account, subject_of
from lastcall.control.parameters import ORIGIN
from lastcall.demo.applications import CHARACTERS, configuration
from lastcall.demo.listening import bound
from lastcall.demo.receivers import BOARD, NAMES, addresses, receiving
from lastcall.dialects.soajs.keys import mint_key
from lastcall.domain.access import operator
from lastcall.domain.types import TenantId
from lastcall.main import CannotStart, configured, serve
from lastcall.ports import Env
from lastcall.settings import PREFIX, Configured

STORE = f"{PREFIX}STORE__"
TENANT = TenantId("default")
SOAJS_TENANT = "4442aca8e268c28b650f6a2a"
SOAJS_PASSWORD = "soajs key lal massa"

CONFIG = f"""\
# Made by `lastcall demo`. For a configuration of your own see docs/how-to/serve.md.

[store]
url = "sqlite:lastcall.db"

[mail]
folder = "mail"

APPLICATIONS

[dialects.soajs.tenants.default]
id = "{SOAJS_TENANT}"
code = "TEST"
keys = ["SOAJS_KEY"]
locked = ["john", "owner"]

[dialects.soajs.tenants.default.groups.administrator]
id = "55ffbb4bc92cb880753f8d3e"
name = "Administrator"
description = "Administrator Group for tenant Test"
locked = true

[dialects.soajs.tenants.default.groups.owner]
id = "57063608622c47b5c097d19d"
name = "Owner Group"
description = "this is the owner group that owns the dashboard"
locked = true
"""

BACKUP_CODES = ("backup-1", "backup-2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """What is drawn for each folder: the SOAJS key, what the TOTP account's app is set to, and
    where the applications are and what they share with the server.
    """

    soajs_key: str
    totp_secret: str
    ports: Mapping[str, int]
    apps: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """A folder with a configuration in it, ready to be served."""

    folder: Path
    configured: Configured
    secrets: Secrets
    places: Mapping[str, socket.socket]
    tell: Callable[[str], None]
    keys: dict[str, Any] = field(default_factory=dict)

    async def run(self) -> int:
        """Serve, with the applications beside it."""
        async with receiving(self.places, self.secrets.apps, lambda: self.keys):
            return await serve(self.configured, self.ready)

    async def ready(self, env: Env, url: str) -> Mapping[str, Any]:
        """Add the accounts that are missing and tell what there is; the content of /demo.json."""
        await _seed(env, self.secrets)
        self.keys.update(env.signer.jwks())
        self.tell(welcome(url, self))
        return shown(self.secrets)


@contextmanager
def folder_of(data: Path | None) -> Iterator[Path]:
    """The folder given, which stays, or one that goes away with the demonstration."""
    if data is None:
        with tempfile.TemporaryDirectory(prefix="lastcall-demo-") as fresh:
            yield Path(fresh)
        return
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise CannotStart(f"{data} cannot be used: {error.strerror}") from error
    yield data.absolute()


def prepare(folder: Path, host: str | None, port: int | None, tell: Callable[[str], None]) -> Demo:
    """Write what the folder lacks; what is there is kept.

    Everybody knows the passwords of its accounts: they are put into no store but the folder's.
    """
    environ = dict(os.environ)
    if others := sorted(name for name in environ if name.upper().startswith(STORE)):
        raise CannotStart(f"a demonstration has a store of its own: unset {', '.join(others)}")
    places, secrets = _places_and_secrets(folder / "demo.json")
    config = folder / "lastcall.toml"
    if not config.exists():
        text = configuration(secrets.ports, secrets.apps).strip()
        text = CONFIG.replace("APPLICATIONS", text).replace("SOAJS_KEY", secrets.soajs_key)
        _write(config, text)
    given = {"HOST": host, "PORT": None if port is None else str(port)}
    for name, value in given.items():
        if value is not None:
            environ[f"LASTCALL__SERVER__{name}"] = value
    return Demo(
        folder=folder,
        configured=configured(config, environ),
        secrets=secrets,
        places=places,
        tell=tell,
    )


def accounts(secrets: Secrets) -> tuple[Account, ...]:
    return (
        Account(
            username="admin",
            password="Admin_1234",
            role="admin",
            name="Ada Admin",
            email="admin@example.com",
        ),
        Account(
            username="engineer",
            password="Engineer_1234",
            role="engineer",
            email="engineer@example.com",
        ),
        Account(username="monitor", password="Monitor_1234", email="monitor@example.com"),
        Account(
            username="john",
            password="johnpassword",
            first_name="John",
            last_name="Doe",
            email="john@domain.com",
            groups=("administrator",),
        ),
        Account(
            username="owner",
            password="owner",
            first_name="owner",
            last_name="owner",
            email="owner@soajs.org",
            groups=("owner",),
        ),
        Account(
            username="totp",
            password="Totp_1234",
            role="admin",
            email="totp@example.com",
            totp_secret=secrets.totp_secret,
            backup_codes=BACKUP_CODES,
        ),
        Account(
            username="email",
            password="Email_1234",
            role="admin",
            email="email@example.com",
            email_codes=True,
        ),
    )


def curls(url: str, secrets: Secrets) -> Mapping[str, str]:
    """For each dialect a line that logs in and out again; they need nothing but curl and sed."""
    key, form = secrets.soajs_key, "username=john&password=johnpassword"
    soajs = f"-b '' -H 'key: {key}'"
    headers = r"header = \"X-User-Id: \1\"\nheader = \"X-Auth-Token: \2\""
    return {
        "native": (
            f"curl -s -X POST {url}/v1/logout -H 'Content-Type: application/json' -d '{{}}' "
            f'-H "Authorization: Bearer $(curl -s {url}/v1/login '
            "-H 'Content-Type: application/json' "
            '-d \'{"username":"monitor","password":"Monitor_1234"}\' '
            '| sed -n \'s/.*"token":"\\([^"]*\\)".*/\\1/p\')"'
        ),
        "multitech": (
            f'curl -s "{url}/api/logout?token=$(curl -s '
            f"'{url}/api/login?username=monitor&password=Monitor_1234' "
            '| sed -n \'s/.*"token" : "\\([^"]*\\)".*/\\1/p\')"'
        ),
        "soajs": (
            f"curl -s {soajs} -d '{form}' {url}/urac/login --next -s {soajs} {url}/urac/logout"
        ),
        "elvis": (
            f'curl -s -X POST {url}/services/logout -H "Authorization: Bearer $(curl -s -X POST '
            f"'{url}/services/apilogin?{form}' "
            '| sed -n \'s/.*"authToken":"\\([^"]*\\)".*/\\1/p\')"'
        ),
        "rsa": (
            f"curl -s -X POST '{url}/aveksa/command.submit?cmd=logoutUser&format=json' "
            f"-H \"Authorization: Bearer $(curl -s '{url}/aveksa/command.submit?cmd=loginUser' "
            "-d '<username>john</username><password>johnpassword</password>' "
            "| sed -n 's/^token=//p')\""
        ),
        "rocketchat": (
            f"curl -s {url}/api/v1/login -d 'user=monitor&password=Monitor_1234' "
            f'| sed "s/.*userId\\":\\"\\([^\\"]*\\).*authToken\\":\\"\\([^\\"]*\\).*/{headers}/" '
            f"| curl -s -X POST {url}/api/v1/logout -K -"
        ),
    }


def welcome(url: str, demo: Demo) -> str:
    """What is printed at the start."""
    rows = [(one.username, one.password or "", one.role) for one in accounts(demo.secrets)]
    remarks = {
        "john": "group administrator of SOAJS tenant TEST",
        "owner": "group owner",
        "totp": f"TOTP secret {demo.secrets.totp_secret}",
        "email": f"codes by mail, into {demo.folder / 'mail'}",
    }
    lines = [f"Lastcall demo: {url}", "", "Accounts"]
    for name, password, role in rows:
        lines.append(f"  {name:9} {password:14} {role:9} {remarks.get(name, '')}".rstrip())
    lines += ["", "Log in and out again, on each wire"]
    for name, curl in curls(url, demo.secrets).items():
        lines += [f"  # {name}", f"  {curl}"]
    config = demo.folder / "lastcall.toml"
    lines += ["", "As the operator", f"  lastcall sessions list --config {config}"]
    lines += ["", "Applications, which every session joins"]
    lines += [f"  {name:9} {character}" for name, character in CHARACTERS.items()]
    lines += ["", "Log john out of everything, and watch (after logging in on some wires)"]
    lines += [f"  lastcall logout --user john --wait --config {config}"]
    board = addresses(demo.secrets.ports)[BOARD]
    lines += ["", "Mend what is broken, tell it again, and have the receipt checked offline"]
    lines += [f"  curl -s -X POST {board}/crm/revive", f"  curl -s -X POST {board}/files/mend"]
    for name in ("crm", "files"):
        lines += [f"  lastcall apps redeliver {name} --config {config}"]
    lines += [
        f"  lastcall receipts save RECEIPT --config {config}",
        "  lastcall verify RECEIPT.jws",
        "",
    ]
    return "\n".join(lines)


def shown(secrets: Secrets) -> Mapping[str, Any]:
    """`GET /demo.json`, which a served configuration does not have."""
    fields = ("username", "password", "role", "name", "first_name", "last_name", "email", "groups")
    return {
        "accounts": [
            {name: getattr(one, name) for name in fields if getattr(one, name)}
            for one in accounts(secrets)
        ],
        "soajs_key": secrets.soajs_key,
        "totp_secret": secrets.totp_secret,
        "backup_codes": BACKUP_CODES,
        "applications": addresses(secrets.ports),
    }


async def _seed(env: Env, secrets: Secrets) -> None:
    caller = operator(TENANT, ORIGIN)
    wanted = accounts(secrets)
    there = await taken_names(env, caller, [one.username for one in wanted])
    missing = [
        await subject_of(env, _of_tenant(one)) for one in wanted if one.username not in there
    ]
    await add_subjects(env, caller, missing)


def _of_tenant(account: Account) -> Account:
    return msgspec.structs.replace(account, tenant=TENANT)


def _places_and_secrets(file: Path) -> tuple[Mapping[str, socket.socket], Secrets]:
    """What the folder has drawn before, and what it lacks drawn now."""
    known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    before = known.get("ports", {})
    try:
        places = {name: bound(before.get(name)) for name in (*NAMES, BOARD)}
    except OSError as error:
        raise CannotStart(f"a port of the applications in {file} is taken") from error
    drawn = {
        "soajs_key": mint_key(SOAJS_TENANT, os.urandom(28), SOAJS_PASSWORD),
        "totp_secret": base64.b32encode(os.urandom(20)).decode("ascii"),
        "ports": {name: place.getsockname()[1] for name, place in places.items()},
        "apps": {name: _shared_secret() for name in ("mail", "crm", "files")},
    }
    secrets = Secrets(**{**drawn, **known})
    if not file.exists():
        _write(file, json.dumps(asdict(secrets)))
    return places, secrets


def _shared_secret() -> str:
    return "whsec_" + base64.b64encode(os.urandom(24)).decode("ascii")


def _write(file: Path, text: str) -> None:
    """A file for this user alone, there whole or not at all."""
    draft = file.with_name(f".{file.name}")
    draft.touch(mode=0o600)
    draft.write_text(text, encoding="utf-8")
    draft.rename(file)
