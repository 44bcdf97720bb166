"""The documentation, executed: every `sh` block of a page, in order, as one script."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.server import Server, clean_environ, demo
from tests.ports import free_port

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "docs" / "tutorial.md",
    *sorted((ROOT / "docs" / "how-to").glob("*.md")),
]
REFERENCE = [ROOT / "docs" / "reference" / name for name in ("cli.md", "settings.md")]
BLOCK = re.compile(r"^```sh( refused)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")

PORT = re.compile(r"\b878[0-3]\b")
"""What pages let servers of their own listen on; free ones take their places."""

DATABASE = "postgresql://lastcall:lastcall@127.0.0.1:5432/lastcall"
"""Where pages have an empty database of PostgreSQL; one of the tests' takes its place."""

PREAMBLE = """\
set -eo pipefail
curl() { command curl --fail-with-body "$@"; }
"""
"""An answer of 400 and above is a failure here, which it is not to curl by itself."""

REDELIVERED = re.compile(r"^(lastcall apps redeliver .*)$", re.MULTILINE)
"""It says 5 while a try is under way, and one may be of itself."""


def script(text: str) -> str:
    """The blocks; a block marked `refused` must fail, and the script goes on."""
    parts = [PREAMBLE]
    for number, (refused, body) in enumerate(BLOCK.findall(text), 1):
        parts.append(f"echo '--- block {number}' >&2")
        body = REDELIVERED.sub(r"until \1; do [ $? = 5 ]; done", body)
        parts.append(f"if ( {body} ); then exit 99; fi" if refused else body)
    return "\n".join(parts)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_on_the_page(
    page: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    text = script(page.read_text())
    if DATABASE in text:
        text = text.replace(DATABASE, request.getfixturevalue("postgres_url"))
    with demo(tmp_path / "demo") as server:
        done = run(text, server, tmp_path)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


def run(text: str, server: Server, folder: Path) -> subprocess.CompletedProcess[str]:
    text = text.replace("http://127.0.0.1:8700", server.url)
    ports = {port: str(free_port()) for port in sorted(set(PORT.findall(text)))}
    text = PORT.sub(lambda found: ports[found[0]], text)
    work = folder / "work"
    work.mkdir(exist_ok=True)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return subprocess.run(
        ["bash", "-c", text],
        cwd=work,
        env={**clean_environ(), "PATH": path, "LASTCALL_CONFIG": str(server.config)},
        capture_output=True,
        text=True,
        timeout=1_200,
        check=False,
    )


EXPECTED = {
    "native": '"sessions_ended":1',
    "multitech": '"user" : "monitor"',
    "soajs": '"username":"john"',
    "elvis": '"logoutSuccess" : true',
    "rsa": '{"data":{"type":"logoutUser"}}',
    "rocketchat": '"message":"You\'ve been logged out!"',
}


def test_every_line_the_demonstration_prints(own_demo: Server, tmp_path: Path) -> None:
    printed = own_demo.printed()
    lines = re.findall(r"^  # (\w+)\n  (curl .*)$", printed, re.MULTILINE)
    assert [name for name, _ in lines] == list(EXPECTED)
    for _ in range(2):  # a line can be pasted again
        for name, line in lines:
            done = run(PREAMBLE + line, own_demo, tmp_path)
            assert done.returncode == 0, done.stdout
            assert EXPECTED[name] in done.stdout
    command = re.findall(r"^  (lastcall .*)$", printed, re.MULTILINE)
    assert run(command[0], own_demo, tmp_path).returncode == 0


@pytest.mark.parametrize("page", [*PAGES, *REFERENCE], ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    broken = [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]
    assert not broken


def test_the_demonstration_prints_every_account(demo_server: Server) -> None:
    printed = demo_server.printed()
    for account in demo_server.demo()["accounts"]:
        assert f"  {account['username']} " in printed
        assert account["password"] in printed
    assert demo_server.demo()["totp_secret"] in printed
