"""A real server: starting, stopping, starting again, and refusing to start."""

import json
import re
import resource
import socket
import sqlite3
import subprocess
from pathlib import Path

import pyotp
import pytest
import requests

from tests.e2e.server import (
    LASTCALL,
    PATIENCE,
    Server,
    clean_environ,
    demo,
    lastcall,
    served,
    start,
)
from tests.e2e.test_cli import MONITOR, lives, log_in

pytestmark = pytest.mark.e2e


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_a_restart_keeps_the_ended_ended_and_the_live_alive(tmp_path: Path) -> None:
    with demo(tmp_path / "data") as server:
        ended, live = log_in(server, MONITOR), log_in(server, MONITOR)
        reply = requests.post(f"{server.url}/v1/logout", json={}, headers=bearer(ended), timeout=30)
        assert reply.status_code == 200
        key = server.demo()["soajs_key"]
        assert server.stop() == 0
    with demo(tmp_path / "data") as server:
        assert (lives(server, ended), lives(server, live)) == (False, True)
        assert server.demo()["soajs_key"] == key
        server.kill()
    with demo(tmp_path / "data") as server:
        assert (lives(server, ended), lives(server, live)) == (False, True)


def test_the_demonstration_comes_up_and_leaves_nothing(tmp_path: Path) -> None:
    server = start(("demo", "--port", "0"), tmp_path, tmp_path)
    server.wait()
    store = Path(str(server.events("listening")[0]["store"]))
    assert store.exists()
    assert server.stop() == 0
    assert not store.parent.exists()


def test_only_the_demonstration_has_demo_json(tmp_path: Path, demo_server: Server) -> None:
    told = demo_server.demo()
    names = [account["username"] for account in told["accounts"]]
    assert names == ["admin", "engineer", "monitor", "john", "owner", "totp", "email"]
    assert len(told["soajs_key"]) == 192
    with served(tmp_path) as server:
        reply = requests.get(f"{server.url}/demo.json", timeout=30)
        assert reply.status_code == 404
        assert "soajs" not in reply.text


def test_the_files_of_a_server_are_its_owners_alone(tmp_path: Path) -> None:
    with demo(tmp_path / "data") as server:
        log_in(server, MONITOR)
        files = {path.name: path.stat().st_mode & 0o077 for path in server.folder.iterdir()}
        logs = {"server.log", "server.out"}
        assert {name for name, mode in files.items() if mode} <= logs
        assert "lastcall.db.sock" in files
        server.stop()
        assert not server.folder.joinpath("lastcall.db.sock").exists()


def test_no_banner(demo_server: Server) -> None:
    reply = requests.get(f"{demo_server.url}/livez", timeout=30)
    assert "server" not in {name.lower() for name in reply.headers}


def test_a_signal_lets_what_is_under_way_finish(tmp_path: Path) -> None:
    with demo(tmp_path / "data") as server:
        host, port = server.url.removeprefix("http://").split(":")
        body = b'{"username":"monitor","password":"Monitor_1234"}'
        head = (
            f"POST /v1/login HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n"
        )
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(head.encode())
            assert connection.recv(65_536).startswith(b"HTTP/1.1 100 ")
            connection.sendall(body[:10])
            server.process.terminate()
            server.wait_for("stopping")
            connection.sendall(body[10:])
            answer = b"".join(iter(lambda: connection.recv(65_536), b""))
        assert server.process.wait(PATIENCE) == 0
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"connection: close" in answer.lower()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((host, int(port)))


def test_a_store_that_cannot_be_written_ends_the_server(tmp_path: Path) -> None:
    with demo(tmp_path / "data") as server:
        token = log_in(server, MONITOR)
        size = server.folder.joinpath("lastcall.db-wal").stat().st_size
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (size, size))
        reply = requests.post(f"{server.url}/v1/logout", json={}, headers=bearer(token), timeout=30)
        assert reply.status_code == 503
        assert server.process.wait(PATIENCE) == 1
        assert server.events("the store failed, stopping")
    with demo(tmp_path / "data") as server:
        log_in(server, MONITOR)


def test_a_demonstration_puts_its_accounts_into_no_other_store(tmp_path: Path) -> None:
    """Their passwords are in the manual: an operator's shell may name the store of everybody."""
    other = tmp_path / "other.db"
    done = subprocess.run(
        [str(LASTCALL), "demo", "--port", "0"],
        env={**clean_environ(), "LASTCALL__STORE__URL": f"sqlite:{other}"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "unset LASTCALL__STORE__URL" in done.stderr
    assert not other.exists()


@pytest.mark.parametrize("gone", [True, False])
def test_nobody_has_to_read_the_log(tmp_path: Path, gone: bool) -> None:
    """Its reader may be gone, or there and reading nothing: more than a pipe holds, at any rate."""
    words = (str(LASTCALL), "demo", "--port", "0", "--data", str(tmp_path))
    with subprocess.Popen(
        words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=clean_environ(), text=True
    ) as process:
        assert process.stderr is not None
        lines = iter(process.stderr.readline, "")
        url = next(line["url"] for line in map(json.loads, lines) if line["event"] == "listening")
        if gone:
            process.stderr.close()
        with requests.Session() as client:
            for _ in range(500):
                reply = client.get(f"{url}/v1/check", headers=bearer("nobody"), timeout=30)
                assert reply.status_code == 401
        process.terminate()
        try:
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()


class TestSecondFactorsOfTheDemonstration:
    def test_a_code_by_mail(self, own_demo: Server) -> None:
        who = {"username": "email", "password": "Email_1234"}
        asked = requests.post(f"{own_demo.url}/v1/login", json=who, timeout=30)
        assert asked.status_code == 401
        (place,) = [
            str(one["event"]).removeprefix("a mail went to ")
            for one in own_demo.wait_for("a mail went to ")
        ]
        assert Path(place).parent == own_demo.folder / "mail"
        code = re.search(r"The code is (\d+)-(\d+)", Path(place).read_text())
        assert code is not None
        log_in(own_demo, {**who, "code": code[1] + code[2]})

    def test_a_code_of_an_app_counts_once(self, own_demo: Server) -> None:
        who = {"username": "totp", "password": "Totp_1234"}
        code = pyotp.TOTP(own_demo.demo()["totp_secret"]).now()
        wrong = {**who, "code": f"{(int(code) + 1) % 1_000_000:06d}"}
        assert requests.post(f"{own_demo.url}/v1/login", json=wrong, timeout=30).status_code == 401
        log_in(own_demo, {**who, "code": code})
        again = requests.post(f"{own_demo.url}/v1/login", json={**who, "code": code}, timeout=30)
        assert again.status_code == 401


class TestRefusingToStart:
    def test_a_second_server_on_one_store(self, tmp_path: Path) -> None:
        with demo(tmp_path / "data") as server:
            environ = {"LASTCALL__SERVER__PORT": "0"}
            done = lastcall("serve", "--config", str(server.config), environ=environ)
            assert (done.returncode, done.stdout) == (1, "")
            assert "in use by another process" in done.stderr
            log_in(server, MONITOR)

    def test_a_port_that_is_taken(self, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            done = lastcall("demo", "--port", str(port), "--data", str(tmp_path))
        assert done.returncode == 1
        assert f"cannot listen on 127.0.0.1 port {port}: Address already in use" in done.stderr

    def test_a_wrong_configuration(self, tmp_path: Path) -> None:
        file = tmp_path / "lastcall.toml"
        file.write_text("[server]\nprot = 1\n[store]\nurl = 'mysql:x'\n")
        done = lastcall("serve", "--config", str(file))
        assert done.returncode == 1
        assert "line 2: server.prot" in done.stderr
        assert "line 4: store.url" in done.stderr
        assert "the configuration has 2 errors" in done.stderr

    def test_a_file_that_is_no_database_of_ours(self, tmp_path: Path) -> None:
        with sqlite3.connect(tmp_path / "lastcall.db") as other:
            other.execute("create table t (x)")
        other.close()
        (tmp_path / "lastcall.toml").write_text("")
        done = lastcall("serve", "--config", str(tmp_path / "lastcall.toml"))
        assert done.returncode == 1
        assert "a database of some other program" in done.stderr

    def test_a_key_file_others_can_read(self, tmp_path: Path) -> None:
        (tmp_path / "lastcall.toml").write_text("")
        (tmp_path / "lastcall.db.key").write_text("x")
        (tmp_path / "lastcall.db.key").chmod(0o644)
        done = lastcall("serve", "--config", str(tmp_path / "lastcall.toml"))
        assert done.returncode == 1
        assert "chmod 600" in done.stderr

    @pytest.mark.parametrize(
        ("section", "content", "why"),
        [
            ('[mail]\nhost = "smtp"\nfrom = "a@example.com"', None, "no such file"),
            ("[outbox]", None, "no such file"),
            ("[outbox]", "x", "holds no certificates"),
        ],
    )
    def test_authorities_that_cannot_be_had(
        self, tmp_path: Path, section: str, content: str | None, why: str
    ) -> None:
        (tmp_path / "lastcall.toml").write_text(f'{section}\nca_file = "ca.pem"\n')
        if content is not None:
            (tmp_path / "ca.pem").write_text(content)
        done = lastcall("serve", "--config", str(tmp_path / "lastcall.toml"))
        (line,) = done.stderr.splitlines()
        assert done.returncode == 1
        assert line.startswith(f"lastcall: {tmp_path / 'ca.pem'} (")
        assert why in line


def test_a_restored_backup_waits_for_an_operator(tmp_path: Path) -> None:
    data, backup = tmp_path / "data", tmp_path / "backup"
    backup.mkdir()
    with demo(data) as server:
        ended = log_in(server, MONITOR)
    for path in data.glob("lastcall.db*"):
        if path.is_file() and path.suffix != ".witness":
            backup.joinpath(path.name).write_bytes(path.read_bytes())
    with demo(data) as server:
        reply = requests.post(f"{server.url}/v1/logout", json={}, headers=bearer(ended), timeout=30)
        assert reply.status_code == 200
    config = str(server.config)
    calm = lastcall("accept-restored", "--config", config, "--yes")
    assert (calm.returncode, "nothing was done" in calm.stderr) == (0, True)
    for path in backup.iterdir():
        data.joinpath(path.name).write_bytes(path.read_bytes())
    for stale in ("lastcall.db-wal", "lastcall.db-shm"):
        if not backup.joinpath(stale).exists():
            data.joinpath(stale).unlink(missing_ok=True)
    environ = {"LASTCALL__SERVER__PORT": "0"}
    refused = lastcall("serve", "--config", config, environ=environ)
    assert refused.returncode == 1
    assert "lastcall accept-restored" in refused.stderr
    assert lastcall("accept-restored", "--config", config).returncode == 2
    done = lastcall("accept-restored", "--config", config, "--yes")
    assert done.returncode == 0, done.stderr
    with demo(data) as server:
        assert not lives(server, ended)
        log_in(server, MONITOR)
