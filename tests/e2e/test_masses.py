"""Mass logouts from the command line: real processes, with a server and without one."""

import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from lastcall.cli import main
from tests.e2e.server import Server, demo, lastcall, served, until
from tests.e2e.test_cli import MONITOR, lives, log_in, out
from tests.geoip import mmdb

pytestmark = pytest.mark.e2e

JOHN = {"username": "john", "password": "johnpassword"}
ENGINEER = {"username": "engineer", "password": "Engineer_1234"}
COUNTRIES = {
    "192.0.2.0/24": {"country": {"iso_code": "NL"}},
    "198.51.100.0/24": {"country": {"iso_code": "BE"}},
}


def instant(after: timedelta) -> str:
    return (datetime.now(UTC) + after).isoformat(timespec="seconds")


def soon(*words: str) -> subprocess.CompletedProcess[str]:
    """As soon as can be: a slow machine has not understood the command before it is over."""
    for seconds in (3, 10, 30, 90):
        done = lastcall(*words, "--at", instant(timedelta(seconds=seconds)))
        if "over already" not in done.stderr:
            break
    return done


class TestWithAServer:
    def test_shown_then_ended(self, own_demo: Server, tmp_path: Path) -> None:
        config = ("--config", str(own_demo.config))
        john, monitor, engineer = (log_in(own_demo, who) for who in (JOHN, MONITOR, ENGINEER))
        names = tmp_path / "names.txt"
        names.write_text("\ufeffjohn\r\n\nmonitor\nnobody\n", encoding="utf-8")
        table = lastcall("logout", "--users", str(names), "--preview", *config)
        assert table.returncode == 0
        assert table.stdout.startswith("PREVIEW")
        assert table.stdout.splitlines()[1].split()[1:3] == ["2", "2"]
        assert table.stderr == "no such account: nobody\n"
        preview = out("logout", "--role", "monitor", "--role", "engineer", "--preview", *config)
        assert preview["preview"]["users"] == 3
        assert all(lives(own_demo, token) for token in (john, monitor, engineer))
        done = out("logout", "--users", str(names), "--reason", "INC-7", "--yes", *config)
        assert done["receipt"]["sessions_ended"] == done["preview"]["sessions"] == 2
        assert [lives(own_demo, token) for token in (john, monitor, engineer)] == [False] * 2 + [
            True
        ]
        said = lastcall("logout", "--role", "engineer", "--reason", "INC-7", "--yes", *config)
        assert "RECEIPT" in said.stdout
        assert not lives(own_demo, engineer)
        none = lastcall("logout", "--role", "engineer", "--reason", "INC-7", "--yes", *config)
        assert none.returncode == 0
        assert "no live session is like that" in none.stderr

    def test_from_standard_input(self, own_demo: Server) -> None:
        config = ("--config", str(own_demo.config))
        token = log_in(own_demo, JOHN)
        words = ("logout", "--users", "-", "--reason", "INC-7", *config)
        assert lastcall(*words, stdin="john\n").returncode == 2
        assert lives(own_demo, token)
        assert lastcall(*words, "--yes", stdin="john\n").returncode == 0
        assert not lives(own_demo, token)

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (("--role", "monitor", "--yes"), "--reason"),
            (("--preview",), "--tenant-wide"),
            (("--session", "x", "--role", "monitor", "--preview"), "criteria"),
            (("--role", ""), "no value"),
            (("--device", "", "--role", "monitor"), "no value"),
            (("--older-than", "", "--role", "monitor"), "no value"),
            (("--user", "", "--role", "monitor"), "no value"),
            (("--tenant-wide", "--at", ""), "no value"),
            (("--older-than", "long", "--preview"), "--older-than"),
            (("--tenant-wide", "--at", "tomorrow"), "--at"),
            (("--tenant-wide", "--at", "2020-01-01T00:00:00Z"), "over already"),
            (("--network", "here", "--preview"), "CIDR"),
            (("--country", "NL", "--preview"), "GeoIP"),
            (("--factor", "luck", "--preview"), "criteria"),
            (("--client", "nothing", "--preview"), "applications"),
            (("--users", "/dev/null", "--preview"), "names nobody"),
        ],
    )
    def test_what_makes_no_sense(
        self,
        demo_server: Server,
        words: tuple[str, ...],
        said: str,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        token = log_in(demo_server, MONITOR)
        more = () if "--preview" in words or "--yes" in words else ("--yes", "--reason", "INC-7")
        assert main(["logout", *words, *more, "--config", str(demo_server.config)]) == 2
        assert said in capsys.readouterr().err
        assert lives(demo_server, token)

    def test_plans(self, own_demo: Server) -> None:
        config = ("--config", str(own_demo.config))
        token = log_in(own_demo, JOHN)
        words = ("logout", "--user", "john", "--reason", "INC-7", "--yes", *config)
        later = out(*words, "--at", instant(timedelta(hours=1)))["plan"]
        assert lastcall("plans", "cancel", later["plan"], *config).returncode == 0
        assert lastcall("plans", "cancel", later["plan"], *config).returncode == 1
        assert lastcall("plans", "cancel", "m_nothing", *config).returncode == 3
        assert lastcall("plans", "approve", "m_nothing", *config).returncode == 3
        assert lives(own_demo, token)
        table = soon(*words)
        assert [line.split()[0] for line in table.stdout.splitlines()[::2]] == ["PREVIEW", "PLAN"]
        until(lambda: not lives(own_demo, token))
        states = [one["state"] for one in out("plans", "list", *config)["plans"]]
        assert states == ["cancelled", "done"]
        assert "done" in lastcall("plans", "list", *config).stdout


def test_by_country_and_without_a_server(tmp_path: Path) -> None:
    with demo(tmp_path) as server:
        config = server.config.read_text()
    (tmp_path / "countries.mmdb").write_bytes(mmdb(COUNTRIES))
    assert "[server]" not in config
    config += '\n[server]\ntrusted_proxies = ["127.0.0.1"]\ngeoip = "countries.mmdb"\n'
    with served(tmp_path, config) as server:
        tokens = {one: _from(server, one) for one in ("192.0.2.1", "198.51.100.1", "203.0.113.1")}
        words = ("logout", "--country", "nl", "--reason", "INC-7", "--yes")
        done = out(*words, "--config", str(server.config))
        assert done["preview"]["sessions"] == 1
        assert [lives(server, token) for token in tokens.values()] == [False, True, True]
    offline = out("logout", "--country", "BE", "--preview", "--config", str(server.config))
    assert offline["preview"]["sessions"] == 1


def test_a_geoip_file_that_is_none(tmp_path: Path) -> None:
    file = tmp_path / "lastcall.toml"
    file.write_text('[server]\nport = 0\ngeoip = "countries.mmdb"\n')
    none = lastcall("serve", "--config", str(file))
    assert (none.returncode, none.stdout) == (1, "")
    assert "countries.mmdb cannot be read: no such file or directory" in none.stderr
    (tmp_path / "countries.mmdb").write_text("this is text")
    bad = lastcall("serve", "--config", str(file))
    assert bad.returncode == 1
    assert "not a GeoIP file in the MaxMind DB format" in bad.stderr
    assert "Traceback" not in none.stderr + bad.stderr


def _from(server: Server, address: str) -> str:
    headers = {"X-Forwarded-For": address}
    reply: Any = requests.post(f"{server.url}/v1/login", json=JOHN, headers=headers, timeout=30)
    assert reply.status_code == 200, reply.text
    return str(json.loads(reply.text)["token"])
