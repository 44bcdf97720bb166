"""Traces of a real server, as a collector gets them over OTLP."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.e2e.server import demo, lastcall, until
from tests.e2e.test_cli import log_in
from tests.e2e.test_universal_logout import told

pytestmark = pytest.mark.e2e

JOHN = {"username": "john", "password": "johnpassword"}
TRACE = "0af7651916cd43dd8448eb211c80319c"


class Collector:
    """Keeps what it is sent."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.requests: list[ExportTraceServiceRequest] = []
        self.authorization: set[str] = set()

    def all_spans(self) -> list[Span]:
        return [
            span
            for request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def spans(self) -> dict[str, str]:
        """The trace of each name that occurs."""
        return {span.name: span.trace_id.hex() for span in self.all_spans()}


@contextmanager
def collecting() -> Iterator[Collector]:
    class Taking(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            collector.requests.append(ExportTraceServiceRequest.FromString(body))
            collector.authorization.add(self.headers["Authorization"])
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return None

    with ThreadingHTTPServer(("127.0.0.1", 0), Taking) as server:
        collector = Collector(f"http://127.0.0.1:{server.server_address[1]}/v1/traces")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield collector
        server.shutdown()
        thread.join()


def test_a_logout_and_what_applications_were_told_are_one_trace(tmp_path: Path) -> None:
    with collecting() as collector:
        environ = {
            "LASTCALL__TELEMETRY__OTLP_ENDPOINT": collector.url,
            "LASTCALL__TELEMETRY__HEADERS__AUTHORIZATION": "Bearer s3cret-of-the-collector",
        }
        with demo(tmp_path, environ=environ) as server:
            bearer = {"Authorization": f"Bearer {log_in(server, JOHN)}"}
            assert requests.post(f"{server.url}/v1/logout", headers=bearer, timeout=30).ok
            words = ("logout", "--user", "john", "--reason", "traced", "--yes")
            assert lastcall(*words, "--config", str(server.config)).returncode == 0
            until(lambda: told(server, "wiki"))
            assert server.stop() == 0
            assert "s3cret" not in server.logged()
    found = collector.spans()
    assert found.keys() >= {
        "POST /v1/login",
        "POST /v1/logout",
        "login",
        "logout",
        "commit",
        "tell",
    }
    assert "operator logout" in found
    assert found["tell"] in {found["POST /v1/logout"], found["operator logout"]}
    assert collector.authorization == {"Bearer s3cret-of-the-collector"}
    sent = b"".join(request.SerializeToString() for request in collector.requests)
    for secret in (b"johnpassword", bearer["Authorization"].split()[1].encode()):
        assert secret not in sent


def test_a_collector_that_is_gone_holds_nothing_up(tmp_path: Path) -> None:
    environ = {"LASTCALL__TELEMETRY__OTLP_ENDPOINT": "http://127.0.0.1:9/v1/traces"}
    with demo(tmp_path, environ=environ) as server:
        assert log_in(server, JOHN)
        assert server.stop() == 0


def test_without_the_extra_a_server_does_not_start_and_says_what_to_install(
    tmp_path: Path,
) -> None:
    hidden = tmp_path / "hidden" / "opentelemetry"
    hidden.mkdir(parents=True)
    (hidden / "__init__.py").write_text("raise ImportError('it is not installed')")
    config = tmp_path / "lastcall.toml"
    config.write_text('[telemetry]\notlp_endpoint = "http://127.0.0.1:9/v1/traces"\n')
    environ = {"PYTHONPATH": str(hidden.parent)}
    done = lastcall("serve", "--config", str(config), environ=environ)
    assert done.returncode == 1
    assert "pip install 'lastcall[otel]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_good_checks_are_traced_only_for_those_who_trace_them(tmp_path: Path) -> None:
    with collecting() as collector:
        environ = {
            "LASTCALL__TELEMETRY__OTLP_ENDPOINT": collector.url,
            "LASTCALL__SERVER__TRUSTED_PROXIES": '["127.0.0.1"]',
        }
        with demo(tmp_path, environ=environ) as server:
            bearer = {"Authorization": f"Bearer {log_in(server, JOHN)}"}
            with requests.Session() as plain:
                plain.headers.update(bearer)
                found = [plain.get(f"{server.url}/v1/check", timeout=30) for _ in range(6)]
            traced = {**bearer, "traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
            found.append(requests.get(f"{server.url}/v1/check", headers=traced, timeout=30))
            assert {answer.status_code for answer in found} == {204}
            body = {"token": bearer["Authorization"].split()[1]}
            assert requests.post(f"{server.url}/v1/introspect", json=body, timeout=30).status_code
            assert server.stop() == 0
    checks = [one for one in collector.all_spans() if one.name == "GET /v1/check"]
    assert [one.trace_id.hex() for one in checks] == [TRACE]
    assert "POST /v1/introspect" in collector.spans()
