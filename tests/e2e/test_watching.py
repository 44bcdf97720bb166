"""A real Prometheus that asks a real server: every panel has an answer, every rule works."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.e2e.server import PATIENCE, Server, clean_environ, demo, until
from tests.e2e.test_cli import log_in
from tests.operations.test_watching import FOLDER, board
from tests.ports import free_port

pytestmark = pytest.mark.e2e

CONFIG = """\
global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}
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

    def ready() -> bool:
        with suppress(requests.RequestException):
            return requests.get(f"{url}/-/ready", timeout=30).ok
        return False

    until(ready)


def asked(api: str, path: str, **parameters: str) -> Any:
    reply = requests.get(f"{api}/{path}", params=parameters, timeout=30)
    assert reply.status_code == 200, reply.text
    return reply.json()["data"]


def scraped(api: str, times: int) -> None:
    """Wait until it has figures of so many moments."""

    def enough() -> bool:
        found = asked(api, "query", query="count_over_time(lastcall_ready[10m])")["result"]
        return bool(found) and float(found[0]["value"][1]) >= times

    until(enough)


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
