"""Backups from the command line: made of a server that serves, and put back when it does not."""

import json
from pathlib import Path

import pytest
import requests

from tests.e2e.server import Server, demo, lastcall, served

pytestmark = pytest.mark.e2e

MONITOR = {"username": "monitor", "password": "Monitor_1234"}


def log_in(server: Server) -> str:
    reply = requests.post(f"{server.url}/v1/login", json=MONITOR, timeout=30)
    assert reply.status_code == 200, reply.text
    return str(reply.json()["token"])


def status(server: Server, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    return requests.get(f"{server.url}/v1/check", headers=headers, timeout=30).status_code


def test_made_while_serving_and_put_back(tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    with demo(tmp_path / "data") as server:
        config = ("--config", str(server.config))
        tokens = [log_in(server) for _ in range(3)]
        made = lastcall("backup", "create", "backup", "--json", *config, folder=tmp_path)
        assert made.returncode == 0, made.stderr
        assert "lastcall.db.key" in made.stderr
        assert "lastcall.db.signing" in made.stderr
        assert json.loads(made.stdout)["rows"]["sessions"] == 3
        assert lastcall("backup", "create", str(backup), *config).returncode == 2
        again = lastcall("backup", "restore", str(backup), "--replace", "--yes", *config)
        assert (again.returncode, "in use by another process" in again.stderr) == (1, True)
        assert [status(server, token) for token in tokens] == [204] * 3
        secrets = [MONITOR["password"], server.demo()["totp_secret"], *tokens]
    for file in backup.iterdir():
        assert file.stat().st_mode & 0o077 == 0
        raw = file.read_bytes()
        assert [secret for secret in secrets if secret.encode() in raw] == []
    assert {file.name for file in backup.iterdir()} == {"lastcall.db", "manifest.json"}
    assert lastcall("backup", "verify", str(backup), *config).returncode == 0
    assert lastcall("backup", "restore", str(backup), *config).returncode == 2
    assert lastcall("backup", "restore", str(backup), "--replace", *config).returncode == 2
    done = lastcall("backup", "restore", str(backup), "--replace", "--yes", "--json", *config)
    assert done.returncode == 0, done.stderr
    assert Path(json.loads(done.stdout)["aside"]).is_file()
    with demo(tmp_path / "data") as server:
        assert [status(server, token) for token in tokens] == [401] * 3
        assert status(server, log_in(server)) == 204


def test_judged_by_its_exit_code(tmp_path: Path) -> None:
    with served(tmp_path / "server") as server:
        config = ("--config", str(server.config))
        made = lastcall("backup", "create", str(tmp_path / "backup"), *config)
        assert made.returncode == 0, made.stderr
    table = lastcall("backup", "verify", str(tmp_path / "backup"), *config)
    assert table.stdout.splitlines()[-1] == "verified"
    with (tmp_path / "backup" / "lastcall.db").open("ab") as file:
        file.write(b"more")
    bad = lastcall("backup", "verify", str(tmp_path / "backup"), "--json", *config)
    shown = json.loads(bad.stdout)
    assert (bad.returncode, shown["good"]) == (1, False)
    assert "its digest is another" in shown["wrong"]
    refused = lastcall("backup", "restore", str(tmp_path / "backup"), "--replace", "--yes", *config)
    assert (refused.returncode, "not good" in refused.stderr) == (1, True)
    unknown = lastcall("backup", "verify", str(tmp_path / "nothing"), *config)
    assert (unknown.returncode, unknown.stdout) == (1, "NOT verified\n")
    (tmp_path / "server" / "lastcall.db.signing").unlink()
    unsigned = lastcall("backup", "verify", str(tmp_path / "backup"), *config)
    assert (unsigned.returncode, "lastcall.db.signing" in unsigned.stderr) == (1, True)
