"""Proving a logout: a real server's receipt, checked by the command and by a browser's page."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Browser, Page

from tests.e2e.browsing import browser, profile
from tests.e2e.server import PATIENCE, Server, lastcall, served

pytestmark = pytest.mark.e2e

ADMIN = {"username": "ada", "password": "Ada_12345", "role": "admin"}
JOHN = {"username": "john", "password": "John_12345", "role": "monitor"}
FILES = ("receipt", "keys", "export", "heads")


@dataclass
class Evidence:
    server: Server
    folder: Path

    def path(self, name: str) -> Path:
        return self.folder / name

    def copy(self, name: str, text: str) -> Path:
        """The file with another text, under a name of its own."""
        changed = self.folder / f"changed-{name}"
        changed.write_text(text)
        return changed


def log_in(server: Server, account: dict[str, str]) -> str:
    body = {name: account[name] for name in ("username", "password")}
    reply = requests.post(f"{server.url}/v1/login", json=body, timeout=30)
    assert reply.status_code == 200, reply.text
    return str(reply.json()["token"])


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evidence]:
    """Ada logs john out, and takes home what proves it."""
    folder = tmp_path_factory.mktemp("evidence")
    with served(tmp_path_factory.mktemp("prove")) as server:
        accounts = "\n".join(json.dumps(one) for one in (ADMIN, JOHN))
        added = lastcall("users", "import", "-", f"--config={server.config}", stdin=accounts)
        assert added.returncode == 0, added.stderr
        assert log_in(server, JOHN)
        token = log_in(server, ADMIN)
        auth = {"Authorization": f"Bearer {token}"}

        def get(path: str) -> requests.Response:
            reply = requests.get(f"{server.url}{path}", headers=auth, timeout=PATIENCE)
            assert reply.status_code == 200, reply.text
            return reply

        listed = get("/v1/sessions?text=").json()["sessions"]
        subject = next(one["subject"] for one in listed if one.get("username") == "john")
        scope = {"scope": {"kind": "subject", "subject": subject}, "reason": "left the house"}
        done = requests.post(f"{server.url}/v1/logout", json=scope, headers=auth, timeout=30).json()
        assert get(f"/v1/receipts/{done['id']}?wait=30").json()["finished"]
        (folder / "receipt").write_text(get(f"/v1/receipts/{done['id']}/signed").text)
        (folder / "keys").write_text(get("/.well-known/jwks.json").text)
        (folder / "heads").write_text(get("/v1/audit/head").text + "\n")
        (folder / "export").write_text(get("/v1/audit").text)
        yield Evidence(server, folder)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as started:
        yield started


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """It fails on anything the page logs as an error, a refusal of its own policy say."""
    errors: list[str] = []
    with profile(chromium) as context:
        opened = context.new_page()
        opened.on("pageerror", lambda error: errors.append(str(error)))
        opened.on("console", lambda one: errors.append(one.text) if one.type == "error" else None)
        yield opened
    assert [one for one in errors if "favicon" not in one and "404" not in one] == []


def verified(page: Page, evidence: Evidence, **changed: str | None) -> tuple[str, str]:
    """The heading and the whole of the result; None leaves a file out."""
    for name in FILES:
        path = evidence.path(name)
        if name in changed:
            text = changed[name]
            if text is None:
                continue
            path = evidence.copy(name, text)
        page.set_input_files(f"#{name}", str(path))
    page.evaluate("document.querySelector('#result').replaceChildren()")
    page.click("button")
    page.wait_for_selector("#result h2")
    return page.inner_text("#result h2"), page.inner_text("#result")


def altered(export: str) -> str:
    return export.replace("left the house", "left the horse")


def dropped(export: str) -> str:
    return "".join(export.splitlines(keepends=True)[1:])


def swapped(export: str) -> str:
    first, second, *rest = export.splitlines(keepends=True)
    return "".join([second, first, *rest])


def middle(export: str) -> str:
    lines = export.splitlines(keepends=True)
    return "".join([lines[0], *lines[2:]])


def cut(export: str) -> str:
    return "".join(export.splitlines(keepends=True)[:-1])


def foreign(export: str) -> str:
    first = json.loads(export.splitlines()[0])
    stranger = {**first, "tenant": "other"}
    line = json.dumps(stranger, sort_keys=True, separators=(",", ":"))
    return "\n".join([line, *export.splitlines()[1:]]) + "\n"


TAMPERED = {altered: "record", middle: "record 2 is missing", swapped: "record 1 stands after"}


def test_the_page_verifies_and_names_each_tampering(page: Page, evidence: Evidence) -> None:
    page.goto(f"{evidence.server.url}/verify")
    heading, text = verified(page, evidence)
    assert heading == "Verified", text
    assert "are one chain" in text
    assert "everyone out after" in text
    export = evidence.path("export").read_text()
    for tamper, said in TAMPERED.items():
        heading, text = verified(page, evidence, export=tamper(export))
        assert heading == "Not verified"
        assert said in text
    assert "missing" in verified(page, evidence, export=cut(export))[1]
    assert "another tenant" in verified(page, evidence, export=foreign(export))[1]
    receipt = evidence.path("receipt").read_text()
    head, body, signature = receipt.split(".")
    spoiled = f"{head}.{body}.{'A' * len(signature)}"
    assert "signature is wrong" in verified(page, evidence, receipt=spoiled)[1]
    none = "eyJhbGciOiJub25lIn0"
    assert "algorithm" in verified(page, evidence, receipt=f"{none}.{body}.")[1]
    heads = json.loads(evidence.path("heads").read_text())
    lied = json.dumps({**heads, "seq": heads["seq"] + 1})
    assert "not what was signed" in verified(page, evidence, heads=lied)[1]


def test_the_page_in_one_file_works_without_a_server(
    page: Page, evidence: Evidence, tmp_path: Path
) -> None:
    saved = tmp_path / "lastcall-verify.html"
    reply = requests.get(f"{evidence.server.url}/verify/offline.html", timeout=30)
    assert reply.headers["Content-Disposition"].startswith("attachment")
    saved.write_bytes(reply.content)
    page.goto(saved.as_uri())
    assert verified(page, evidence)[0] == "Verified"
    page.fill("#tenant", "other")
    assert "not of the tenant other" in verified(page, evidence)[1]


def test_the_page_and_the_command_say_the_same(page: Page, evidence: Evidence) -> None:
    page.goto(f"{evidence.server.url}/verify")
    export = evidence.path("export").read_text()
    for text in (export, altered(export), middle(export), dropped(export), foreign(export)):
        changed = evidence.copy("export", text)
        done = lastcall(
            "verify",
            str(evidence.path("receipt")),
            f"--jwks={evidence.path('keys')}",
            f"--audit={changed}",
            f"--heads={evidence.path('heads')}",
            "--json",
        )
        found = json.loads(done.stdout)
        assert done.returncode == (0 if found["good"] else 1)
        heading, shown = verified(page, evidence, export=text)
        assert (heading == "Verified") is found["good"]
        for finding in found["findings"]:
            assert finding["text"] in shown


def test_the_server_wrote_its_heads_down_outside_the_database(evidence: Evidence) -> None:
    (heads,) = evidence.server.config.parent.glob("**/*.heads.jsonl")
    assert heads.stat().st_mode & 0o777 == 0o600
    assert json.loads(heads.read_text().splitlines()[0])["signed"]


def test_the_command_says_what_it_needs_and_what_it_found(evidence: Evidence) -> None:
    receipt = str(evidence.path("receipt"))
    assert lastcall("verify", receipt).returncode == 2
    done = lastcall("verify", receipt, "--jwks", str(evidence.path("keys")))
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "verified"
    done = lastcall("verify", receipt, "--jwks", str(evidence.path("keys")), "--tenant", "other")
    assert done.returncode == 1
    assert "WRONG: the receipt: it is not of the tenant other" in done.stderr
