"""The command line: real processes, with a server and without one."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import requests

from lastcall.cli import main
from tests.e2e.server import (
    LASTCALL,
    PATIENCE,
    Server,
    clean_environ,
    demo,
    lastcall,
    served,
    until,
)

pytestmark = pytest.mark.e2e

MONITOR = {"username": "monitor", "password": "Monitor_1234"}


def log_in(server: Server, who: dict[str, str], agent: str = "") -> str:
    headers = {"User-Agent": agent} if agent else {}
    reply = requests.post(f"{server.url}/v1/login", json=who, headers=headers, timeout=30)
    assert reply.status_code == 200, reply.text
    return str(reply.json()["token"])


def lives(server: Server, token: str) -> bool:
    headers = {"Authorization": f"Bearer {token}"}
    status = requests.get(f"{server.url}/v1/check", headers=headers, timeout=30).status_code
    assert status in (204, 401)
    return status == 204


def out(*arguments: str, **more: Any) -> Any:
    """A command that must succeed, and its JSON."""
    done = lastcall(*arguments, "--json", **more)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


class TestWithAServer:
    def test_accounts(self, own_demo: Server) -> None:
        config = ("--config", str(own_demo.config))
        token = log_in(own_demo, MONITOR)
        table = lastcall("users", "list", *config)
        assert table.returncode == 0
        assert table.stdout.splitlines()[0].split()[:3] == ["USERNAME", "ID", "NAME"]
        assert "Ada Admin" in table.stdout
        assert not table.stderr
        assert out("users", "disable", "monitor", *config)["sessions_ended"] == 1
        assert not lives(own_demo, token)
        assert out("users", "enable", "monitor", *config)["user"]["enabled"] is True
        token = log_in(own_demo, MONITOR)
        out("users", "set-password", "monitor", *config, stdin="Another_1234\n")
        assert not lives(own_demo, token)
        log_in(own_demo, {"username": "monitor", "password": "Another_1234"})

    def test_sessions(self, own_demo: Server) -> None:
        config = ("--config", str(own_demo.config))
        tokens = [log_in(own_demo, MONITOR) for _ in range(3)]
        rows = out("sessions", "list", "--user", "monitor", *config)["sessions"]
        assert len(rows) == 3
        ended = lastcall("sessions", "end", rows[0]["id"], "nothing", *config)
        assert (ended.returncode, "no such session: nothing" in ended.stderr) == (5, True)
        assert [lives(own_demo, token) for token in tokens].count(True) == 2
        assert lastcall("sessions", "end", "nothing", *config).returncode == 3
        every = out("sessions", "list", "--ended", "--limit", "0", *config)["sessions"]
        assert [row["ended"] is None for row in every].count(True) == 2

    def test_logout(self, own_demo: Server) -> None:
        config = ("--config", str(own_demo.config))
        token = log_in(own_demo, MONITOR)
        receipt = out("logout", "--user", "monitor", "--reason", "lost phone", *config)
        assert (receipt["sessions_ended"], receipt["reason"]) == (1, "lost phone")
        assert not lives(own_demo, token)
        token = log_in(own_demo, MONITOR)
        asked = lastcall("logout", "--tenant-wide", *config)
        assert (asked.returncode, asked.stdout) == (2, "")
        assert lives(own_demo, token)
        assert out("logout", "--tenant-wide", "--yes", *config)["sessions_ended"] == 1
        assert not lives(own_demo, token)
        token = log_in(own_demo, MONITOR)
        assert out("logout", "--dialect", "rsa", "--yes", *config)["sessions_ended"] == 0
        assert out("logout", "--dialect", "native", "--yes", *config)["sessions_ended"] == 1

    def test_what_a_client_says_cannot_command_a_terminal(self, own_demo: Server) -> None:
        config = ("--config", str(own_demo.config))
        log_in(own_demo, MONITOR, "\u009b31m\u00adtrick\u0085")
        for options in ((), ("--json",)):
            shown = lastcall("sessions", "list", *options, *config).stdout
            assert "trick" in shown
            assert shown.replace("\n", "").isascii()
            assert shown.replace("\n", "").isprintable()

    def test_unknown_and_unreachable(self, own_demo: Server, tmp_path: Path) -> None:
        config = ("--config", str(own_demo.config))
        assert lastcall("users", "disable", "nobody", *config).returncode == 3
        assert lastcall("users", "list", "--tenant", "nobody", *config).returncode == 2
        own_demo.folder.joinpath("lastcall.db.sock").unlink()
        done = lastcall("users", "list", *config)
        assert done.returncode == 1
        assert "in use by another process" in done.stderr


class TestWithoutAServer:
    def test_the_same_operations(self, tmp_path: Path) -> None:
        with demo(tmp_path / "data") as server:
            token = log_in(server, MONITOR)
        config = ("--config", str(server.config))
        assert len(out("users", "list", *config)["users"]) == 7
        (row,) = out("sessions", "list", *config)["sessions"]
        assert out("sessions", "end", row["id"], *config)["not_found"] == []
        with demo(tmp_path / "data") as server:
            assert not lives(server, token)

    def test_import(self, tmp_path: Path) -> None:
        config = tmp_path / "lastcall.toml"
        config.write_text("[tenants.default]\n[tenants.acme]\n")
        lines = [
            {"username": "one", "password": "One_1234", "role": "admin"},
            {"username": "two", "password": "Two_1234", "tenant": "acme"},
        ]
        good = "".join(json.dumps(line) + "\n" for line in lines)
        bad = good + '{"username":"three","password":"x","role":"king"}\nnonsense\n'
        file = tmp_path / "users.jsonl"
        file.write_text(bad)
        refused = lastcall("users", "import", str(file), "--config", str(config))
        assert refused.returncode == 1
        assert "line 3: role: must be one of admin, engineer, monitor" in refused.stderr
        assert "line 4: " in refused.stderr
        assert out("users", "list", "--config", str(config))["users"] == []
        done = out("users", "import", "-", "--config", str(config), stdin=good)
        assert done == {"added": 2, "tenants": {"acme": 1, "default": 1}}
        again = lastcall("users", "import", "-", "--config", str(config), stdin=good)
        assert again.returncode == 1
        assert "line 1: username: is taken" in again.stderr
        rows = out("users", "list", "--tenant", "acme", "--config", str(config))["users"]
        assert [row["username"] for row in rows] == ["two"]
        with served(tmp_path, config.read_text()) as server:
            log_in(server, {"username": "one", "password": "One_1234"})

    def test_import_takes_a_tenant_for_lines_without(self, tmp_path: Path) -> None:
        config = tmp_path / "lastcall.toml"
        config.write_text("[tenants.default]\n[tenants.acme]\n")
        line = '{"username":"one","password":"One_1234"}'
        words = ("users", "import", "-", "--tenant", "acme", "--config", str(config))
        assert out(*words, stdin=line)["tenants"] == {"acme": 1}


class TestPasswords:
    def test_a_file_and_a_variable(self, tmp_path: Path) -> None:
        with demo(tmp_path / "data") as server:
            words = ("users", "set-password", "monitor", "--config", str(server.config))
            file = tmp_path / "password"
            file.write_text("From_file_1\n")
            out(*words, "--password-file", str(file))
            log_in(server, {"username": "monitor", "password": "From_file_1"})
            out(*words, environ={"LASTCALL_PASSWORD": "From_environ_1"})
            log_in(server, {"username": "monitor", "password": "From_environ_1"})

    @pytest.mark.parametrize("text", ["", "\n", "two\nlines\n"])
    def test_what_is_no_password(self, demo_server: Server, text: str) -> None:
        words = ("users", "set-password", "monitor", "--config", str(demo_server.config))
        done = lastcall(*words, stdin=text)
        assert (done.returncode, done.stdout) == (2, "")

    def test_none_is_an_argument(self, demo_server: Server) -> None:
        """What a command line takes can be read by everybody in /proc/PID/cmdline."""
        words = ("users", "set-password", "monitor", "--config", str(demo_server.config))
        assert lastcall(*words, "--password", "Secret_1234").returncode == 2
        with subprocess.Popen(
            [LASTCALL, *words], stdin=subprocess.PIPE, env=clean_environ()
        ) as process:
            assert process.stdin is not None
            process.stdin.write(b"Secret_1234")
            process.stdin.flush()
            line = command_line(process.pid)
            process.kill()  # before the password is complete, so that nothing changes
        assert b"set-password" in line
        told = demo_server.demo()
        secrets = ["Secret_1234", told["soajs_key"], told["totp_secret"]]
        visible = line + command_line(demo_server.process.pid)
        assert not [secret for secret in secrets if secret.encode() in visible]


def command_line(process: int) -> bytes:
    """What /proc shows of a process, once it has become the program it was started as."""
    file = Path(f"/proc/{process}/cmdline")
    until(file.read_bytes)
    return file.read_bytes()


class TestUsage:
    @pytest.mark.parametrize(
        "words",
        [
            ("logouts",),
            ("logout",),
            ("logout", "--user", "a", "--session", "b"),
            ("logout", "--user", "a", "--tenan", "b"),
            ("sessions", "end"),
            ("sessions", "list", "--limit", "-1"),
            ("serve",),
            ("users", "disable"),
        ],
    )
    def test_what_cannot_be_meant(
        self, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(words) == 2
        shown = capsys.readouterr()
        assert (shown.out, shown.err[:10]) == ("", "lastcall: ")

    def test_help_and_version(self) -> None:
        shown = lastcall("--help").stdout
        commands = ("serve", "demo", "check-config", "users", "sessions", "logout")
        assert all(command in shown for command in commands)
        assert "3 not found" in shown
        assert lastcall("--version").stdout.strip() == "0.1.0"

    def test_colours_only_for_a_terminal(self) -> None:
        assert "\x1b" not in lastcall("--help").stdout
        assert "\x1b" not in lastcall("logout", "--help", environ={"NO_COLOR": "1"}).stdout

    def test_a_reader_that_goes_away(self, demo_server: Server) -> None:
        reading, writing = os.pipe()
        os.close(reading)
        with open(writing, "w") as closed:
            done = subprocess.run(
                [LASTCALL, "users", "list", "--config", str(demo_server.config)],
                stdout=closed,
                stderr=subprocess.PIPE,
                env=clean_environ(),
                text=True,
                timeout=PATIENCE,
                check=False,
            )
        assert (done.returncode, done.stderr) == (1, "")

    def test_no_configuration(self, tmp_path: Path) -> None:
        done = lastcall("users", "list", folder=tmp_path)
        assert done.returncode == 1
        assert "lastcall.toml cannot be read" in done.stderr


class TestCheckConfig:
    def test_nothing_wrong(self, tmp_path: Path) -> None:
        file = tmp_path / "lastcall.toml"
        file.write_text("[server]\nport = 80\n")
        done = lastcall("check-config", str(file))
        assert (done.returncode, done.stdout) == (0, "")
        assert done.stderr == f"{file}: nothing wrong\n"

    def test_everything_wrong(self, tmp_path: Path) -> None:
        file = tmp_path / "lastcall.toml"
        file.write_text("[server]\nprot = 80\n[dialects.elvi]\n[dialects.rsa]\ninstruction = 1\n")
        done = lastcall("check-config", str(file), environ={"LASTCALL__SERVER__PORT": "high"})
        assert done.returncode == 1
        told = done.stdout.splitlines()
        assert told[0] == f"{file}: line 2: server.prot: unknown key; did you mean server.port?"
        assert "line 3: dialects.elvi: no such dialect" in told[1]
        assert told[1].endswith("did you mean dialects.elvis?")
        assert "line 5: dialects.rsa.instruction: unknown key" in told[2]
        assert "environment LASTCALL__SERVER__PORT: server.port: expected" in told[3]
        problems = out_of_failure("check-config", str(file))["problems"]
        assert [problem["key"] for problem in problems] == [
            "server.prot",
            "dialects.elvi",
            "dialects.rsa.instruction",
        ]


def out_of_failure(*arguments: str) -> Any:
    done = lastcall(*arguments, "--json")
    assert done.returncode == 1
    return json.loads(done.stdout)
