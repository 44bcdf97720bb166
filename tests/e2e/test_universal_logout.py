"""The whole story with a real server: told, killed, told on, mended, and proved offline."""

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.e2e.server import LASTCALL, PATIENCE, Server, clean_environ, demo, lastcall, until
from tests.e2e.test_cli import lives, log_in

pytestmark = pytest.mark.e2e

JOHN = {"username": "john", "password": "johnpassword"}
WITHIN = ("--wait", "--within", str(int(PATIENCE)))


def logged_in(server: Server) -> str:
    """A token of the native API; a second session on another wire beside it."""
    form = {"user": "john", "password": "johnpassword"}
    reply = requests.post(f"{server.url}/api/v1/login", data=form, timeout=30)
    assert reply.status_code == 200
    return log_in(server, JOHN)


def begin_logout(server: Server, output: Path) -> subprocess.Popen[str]:
    words = ("logout", "--user", "john", "--reason", "lost a phone", *WITHIN)
    with output.open("w") as out:
        return subprocess.Popen(
            [LASTCALL, *words, "--config", str(server.config)],
            stdout=out,
            stderr=subprocess.STDOUT,
            env=clean_environ(),
            text=True,
        )


def until_it_says(output: Path, text: str) -> str:
    until(lambda: text in output.read_text())
    return output.read_text()


def told(server: Server, app: str) -> bool:
    """Whether it has been told of anything."""
    board = server.demo()["applications"]["board"]
    return bool(requests.get(board, timeout=30).json()[app]["notices"])


def watched(server: Server, receipt: str, *more: str) -> tuple[int, Any]:
    words = ("receipts", "show", receipt, *more, "--json")
    done = lastcall(*words, "--config", str(server.config))
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def states(shown: Any) -> dict[str, set[str]]:
    return {one["name"]: set(one["states"]) for one in shown["applications"]}


WHY = {"crm": "connect", "files": "still alive", "fax": None}


def why(shown: Any) -> dict[str, str | None]:
    """What is left, and the last error there."""
    return {one["name"]: one.get("last_error") for one in shown["left"]}


def mend(server: Server, what: str) -> None:
    board = server.demo()["applications"]["board"]
    assert requests.post(f"{board}/{what}", timeout=30).status_code == 200


def redeliver(server: Server, app: str) -> None:
    """Also when a try happens to be under way."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        done = lastcall("apps", "redeliver", app, "--config", str(server.config))
        if done.returncode == 0:
            return
        time.sleep(0.2)
    raise AssertionError(done.stderr)


def test_out_of_everything(tmp_path: Path) -> None:
    data, output = tmp_path / "demo", tmp_path / "logout.out"
    with demo(data) as server:
        token = logged_in(server)
        watcher = begin_logout(server, output)
        said = until_it_says(output, "wiki  verified")
        server.kill()
        assert watcher.wait(PATIENCE) == 5
        receipt = next(word for word in said.split() if word.startswith("r_"))
        assert f"lastcall receipts show {receipt} --wait" in output.read_text()

    with demo(data) as server:
        assert not lives(server, token)
        until(lambda: why(watched(server, receipt)[1]) == WHY)
        code, shown = watched(server, receipt, "--wait", "--within", "1")
        assert (code, shown["finished"], shown["sessions_ended"]) == (5, False, 2)
        assert states(shown) == {
            "wiki": {"verified"},
            "mail": {"acknowledged"},
            "crm": {"queued"},
            "files": {"queued"},
            "fax": {"cannot-be-told"},
        }
        early = lastcall("receipts", "save", receipt, "--config", str(server.config))
        assert early.returncode == 1

        mend(server, "crm/revive")
        mend(server, "files/mend")
        redeliver(server, "crm")
        redeliver(server, "files")
        code, shown = watched(server, receipt, *WITHIN)
        assert shown["finished"]
        assert code == 5, "the fax cannot be told"
        assert states(shown)["crm"] == {"acknowledged"}
        assert states(shown)["files"] == {"verified"}
        assert "cannot-be-told" in shown["verdict"]
        words = ("receipts", "save", receipt, "--folder", str(tmp_path))
        assert lastcall(*words, "--config", str(server.config)).returncode == 0

    signed = tmp_path / f"{receipt}.jws"
    good = lastcall("verify", str(signed))
    assert good.returncode == 0, good.stderr
    assert "lost a phone" in good.stdout
    header, payload, signature = signed.read_text().split(".")
    middle = len(payload) // 2
    other = "A" if payload[middle] != "A" else "B"
    signed.write_text(f"{header}.{payload[:middle]}{other}{payload[middle + 1 :]}.{signature}")
    assert lastcall("verify", str(signed)).returncode == 1


def test_everyone_out_where_everybody_listens(tmp_path: Path) -> None:
    with demo(tmp_path / "demo") as server:
        config = server.config
        text = config.read_text().replace('["wiki", "mail", "crm", "files", "fax"]', '["wiki"]')
        config.write_text(text)
        server.stop()
    with demo(tmp_path / "demo") as server:
        token = log_in(server, JOHN)
        done = lastcall("logout", "--user", "john", *WITHIN, "--config", str(config))
        assert done.returncode == 0, done.stdout
        assert "wiki  verified" in done.stdout
        assert "everyone out after " in done.stdout
        assert not lives(server, token)


def test_a_stop_waits_for_what_is_being_told(tmp_path: Path) -> None:
    with demo(tmp_path / "demo") as server:
        log_in(server, JOHN)
        words = ("logout", "--user", "john", "--json", "--config", str(server.config))
        receipt = json.loads(lastcall(*words).stdout)["receipt"]
        until(lambda: told(server, "wiki"))
        assert server.stop() == 0
    words = ("receipts", "show", receipt, "--json", "--config", str(server.config))
    shown = json.loads(lastcall(*words).stdout)
    (mail,) = [row for row in shown["deliveries"] if row.get("name") == "mail"]
    assert (mail["state"], mail["tries"]) == ("acknowledged", 1)


class TestApplicationsOnTheCommandLine:
    def test_listing_and_trying_them(self, demo_server: Server) -> None:
        config = ("--config", str(demo_server.config))
        listed = json.loads(lastcall("apps", "list", "--json", *config).stdout)["apps"]
        assert [one["name"] for one in listed] == ["crm", "fax", "files", "mail", "wiki"]
        assert all(one["declared"] for one in listed)
        assert "whsec_" not in json.dumps(listed)
        good = lastcall("apps", "test", "wiki", *config)
        assert (good.returncode, good.stdout[:24]) == (0, "wiki: it takes notices (")
        dead = lastcall("apps", "test", "crm", *config)
        assert (dead.returncode, "nothing answers there" in dead.stdout) == (1, True)
        assert lastcall("apps", "test", "none", *config).returncode == 3

    def test_adding_one_with_its_secret_from_somewhere_else(self, own_demo: Server) -> None:
        config = ("--config", str(own_demo.config))
        words = (
            "apps",
            "add",
            "shop",
            "--connector",
            "webhook",
            "--set",
            "url=https://s.example/h",
        )
        key = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"
        for source in (key, "env:NOT_SET", "file:/does/not/exist"):
            done = lastcall(*words, "--secret", f"secret={source}", *config)
            assert done.returncode in (1, 2)
            assert key not in done.stderr
        bad = lastcall(*words, "--secret", "secret=-", *config, stdin="short\n")
        assert (bad.returncode, "whsec_ and the base64" in bad.stderr) == (2, True)
        done = lastcall(*words, "--secret", "secret=-", *config, stdin=f"{key}\n")
        assert done.returncode == 0, done.stderr
        again = lastcall(*words, "--secret", "secret=env:KEY", *config, environ={"KEY": key})
        assert again.returncode == 1
        rows = lastcall("apps", "deliveries", "shop", "--json", *config)
        assert json.loads(rows.stdout) == {"deliveries": []}
