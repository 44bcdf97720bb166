"""A real Prometheus that asks a real server: every panel has an answer, every rule works."""

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.e2e.server import Server, clean_environ, demo
from tests.e2e.test_cli import log_in
from tests.operations.test_watching import FOLDER, board
from tests.ports import free_port

pytestmark = pytest.mark.e2e

PATIENCE = 60.0
CONFIG = """\
global: {scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 500ms}
rule_files: [%s]
scrape_configs:
  - job_name: lastcall
    static_configs: [{targets: ["%s"]}]
"""
ALONE = {
    "Time until every node refuses",
    "Lease",
    "Age of changes when applied",
    "Changes missing",
    "Wait for the turn to write",
    "Followers and watchers",
    "Failures",
}
"""Panels with nothing to show for one server that is well."""


@contextmanager
def prometheus(folder: Path, server: Server) -> Iterator[str]:
    config = folder / "prometheus.yml"
    target = server.url.removeprefix("http://")
    config.write_text(CONFIG % (FOLDER / "lastcall.rules.yml", target))
    url = f"http://127.0.0.1:{free_port()}"
    with (folder / "prometheus.log").open("w") as log:
        process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={config}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address={url.removeprefix('http://')}",
            ],
            stdout=log,
            stderr=log,
            env=clean_environ(),
        )
    try:
        until_ready(url)
        yield f"{url}/api/v1"
    finally:
        process.terminate()
        process.wait(PATIENCE)


def until_ready(url: str) -> None:
    """It listens before it answers: until its storage is open it says 503."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with suppress(requests.RequestException):
            if requests.get(f"{url}/-/ready", timeout=30).ok:
                return
        time.sleep(0.1)
    raise AssertionError("Prometheus is not ready")


def asked(api: str, path: str, **parameters: str) -> Any:
    reply = requests.get(f"{api}/{path}", params=parameters, timeout=30)
    assert reply.status_code == 200, reply.text
    return reply.json()["data"]


def scraped(api: str, times: int) -> None:
    """Wait until it has figures of so many moments."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = asked(api, "query", query="count_over_time(lastcall_ready[1m])")["result"]
        if found and float(found[0]["value"][1]) >= times:
            return
        time.sleep(0.1)
    raise AssertionError("nothing is scraped")


def use(server: Server) -> None:
    john = {"username": "john", "password": "johnpassword"}
    requests.post(f"{server.url}/v1/login", json={**john, "password": "x"}, timeout=30)
    bearer = {"Authorization": f"Bearer {log_in(server, john)}"}
    assert requests.get(f"{server.url}/v1/check", headers=bearer, timeout=30).ok
    assert requests.post(f"{server.url}/v1/logout", headers=bearer, timeout=30).ok


def test_every_panel_has_an_answer_and_every_rule_works(tmp_path: Path) -> None:
    with demo(tmp_path / "demo") as server, prometheus(tmp_path, server) as api:
        use(server)
        scraped(api, 2)
        use(server)
        time.sleep(1)
        scraped(api, 6)
        empty = {
            panel.title
            for panel in board().panels
            if panel.targets
            and not any(
                asked(api, "query", query=_filled(target.expr))["result"]
                for target in panel.targets
            )
        }
        (group,) = asked(api, "rules")["groups"]
    assert empty <= ALONE
    assert {rule["health"] for rule in group["rules"]} == {"ok"}, json.dumps(group)
    assert [rule["name"] for rule in group["rules"] if rule.get("state") == "firing"] == []


def _filled(query: str) -> str:
    return query.replace("$__rate_interval", "1m").replace("$job", ".*").replace("$instance", ".*")
