"""Health, figures, and what the demonstration shows."""

from dataclasses import replace

from lastcall.domain.errors import StoreUnavailable
from lastcall.domain.types import TokenHash
from lastcall.ports import Found
from lastcall.stores.memory import MemoryStore
from tests.http.asgi import ask, echo, serve
from tests.world import TENANT, make_world


class Broken(MemoryStore):
    """Reads as long as it is told to."""

    broken = False

    async def find(self, token: TokenHash) -> Found | None:
        if self.broken:
            raise StoreUnavailable("the disk is gone, and with it canary-detail")
        return await super().find(token)


async def test_alive_and_ready() -> None:
    served = serve(await make_world())
    assert (await ask(served.app, "GET", "/livez")).json == {"status": "alive"}
    answer = await ask(served.app, "GET", "/readyz")
    assert answer.status == 200
    assert answer.json["status"] == "ready"
    assert (await ask(served.app, "HEAD", "/readyz")).body == b""
    refused = await ask(served.app, "POST", "/livez")
    assert (refused.status, refused.header("allow")) == (405, "GET, HEAD")


async def test_not_ready_while_catching_up_or_draining() -> None:
    served = serve(await make_world())
    served.state.caught_up = False
    answer = await ask(served.app, "GET", "/readyz")
    assert answer.status == 503
    assert answer.json["checks"] == {"store": True, "caught_up": False, "not_draining": True}
    served.state.caught_up, served.state.draining = True, True
    assert (await ask(served.app, "GET", "/readyz")).status == 503
    assert (await ask(served.app, "GET", "/livez")).status == 200


async def test_a_store_that_is_gone_makes_it_unready_and_not_dead() -> None:
    store = Broken()
    served = serve(await make_world(store))
    store.broken = True
    answer = await ask(served.app, "GET", "/readyz")
    assert answer.status == 503
    assert answer.json["checks"]["store"] is False
    assert b"canary" not in answer.body
    assert (await ask(served.app, "GET", "/livez")).status == 200
    page = (await ask(served.app, "GET", "/metrics")).body
    assert b"lastcall_ready 0.0" in page


async def test_the_demonstration_data_is_there_when_given_and_only_then() -> None:
    world = await make_world()
    assert (await ask(serve(world).app, "GET", "/demo.json")).status == 404
    served = serve(world, demo={"accounts": ["admin"]})
    assert (await ask(served.app, "GET", "/demo.json")).json == {"accounts": ["admin"]}


async def test_figures() -> None:
    world = await make_world()
    served = serve(world)
    body = b'{"username":"monitor","password":"Monitor_1234"}'
    json_type = ("Content-Type", "application/json")
    login = await ask(served.app, "POST", "/v1/login", json_type, body=body)
    token = ("Authorization", f"Bearer {login.json['token']}")
    page = (await ask(served.app, "GET", "/metrics")).body.decode()
    assert "lastcall_sessions_live 1.0" in page
    await ask(served.app, "GET", "/v1/check", token)
    await ask(served.app, "GET", "/v1/check", ("Authorization", "Bearer unknown"))
    await ask(served.app, "POST", "/v1/logout", token)
    await ask(served.app, "GET", "/v1/check", token)
    answer = await ask(served.app, "GET", "/metrics")
    assert answer.header("content-type").startswith("text/plain; version=")
    page = answer.body.decode()
    for line in (
        'lastcall_requests_total{dialect="native",route="/v1/check",status="204"} 1.0',
        'lastcall_requests_total{dialect="native",route="/v1/check",status="401"} 2.0',
        'lastcall_checks_total{outcome="live"} 2.0',
        'lastcall_checks_total{outcome="ended"} 1.0',
        'lastcall_checks_total{outcome="unknown"} 1.0',
        'lastcall_refusals_total{code="not-authenticated",dialect="native"} 2.0',
        'lastcall_audit_events_total{action="login",outcome="done"} 1.0',
        'lastcall_audit_events_total{action="logout",outcome="done"} 1.0',
        'lastcall_logout_seconds_count{dialect="native"} 1.0',
        "lastcall_sessions_live 0.0",
        "lastcall_ready 1.0",
        "lastcall_login_queue 0.0",
    ):
        assert line in page.splitlines(), line


async def test_the_queue_is_asked_for_at_every_scrape() -> None:
    served = serve(await make_world())
    waiting = [3]
    served.metrics.watch_queue(lambda: waiting[0])
    assert b"lastcall_login_queue 3.0" in (await ask(served.app, "GET", "/metrics")).body
    waiting[0] = 0
    assert b"lastcall_login_queue 0.0" in (await ask(served.app, "GET", "/metrics")).body


async def test_disabled_and_failed_look_ups_are_counted_apart() -> None:
    store = Broken()
    world = await make_world(store)
    served = serve(world)
    body = b'{"username":"monitor","password":"Monitor_1234"}'
    json_type = ("Content-Type", "application/json")
    login = await ask(served.app, "POST", "/v1/login", json_type, body=body)
    token = ("Authorization", f"Bearer {login.json['token']}")
    store.broken = True
    assert (await ask(served.app, "GET", "/v1/check", token)).status == 503
    store.broken = False
    async with store.transaction(TENANT) as tx:
        monitor = await tx.subject_named("monitor")
        assert monitor is not None
        await tx.change_subject(replace(monitor, enabled=False))
    assert (await ask(served.app, "GET", "/v1/check", token)).status == 401
    page = served.metrics.page()
    assert b'lastcall_checks_total{outcome="failed"} 1.0' in page
    assert b'lastcall_checks_total{outcome="disabled"} 1.0' in page


async def test_no_path_and_no_name_becomes_a_label() -> None:
    mount, _ = echo()
    served = serve(await make_world(), mount)
    await ask(served.app, "GET", "/echo/ok")
    before = served.metrics.page().count(b"\n")
    for number in range(50):
        await ask(served.app, "GET", f"/echo/token/canary-{number}")
        await ask(served.app, "GET", f"/canary-{number}")
        await ask(served.app, "GET", f"/echo/canary-{number}")
    page = served.metrics.page()
    assert b"canary" not in page
    assert page.count(b"\n") - before < 100
