"""What is counted, as the page for Prometheus shows it."""

import sys
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from lastcall.domain.audit import Action, Event, Outcome
from lastcall.domain.logout import Receipt
from lastcall.domain.origin import Origin
from lastcall.domain.types import DialectName, Instant, SubjectId
from lastcall.metrics import Metrics, RouteTally, Tally
from lastcall.metrics.figures import UNDER_WAY
from lastcall.metrics.tallies import COARSE, COMMITS, FINE, LONG, REQUESTS, SECONDS
from lastcall.ports import Condition, Observer, Unobserved
from lastcall.stores.sqlite import SqliteStore
from tests.outbox.test_worker import rule
from tests.world import TENANT, make_world


def lines(metrics: Metrics) -> list[str]:
    return metrics.page().decode().splitlines()


def logout(request: str) -> Event:
    return Event(
        at=Instant(0),
        tenant=TENANT,
        action=Action.LOGOUT,
        outcome=Outcome.DONE,
        origin=Origin(dialect=DialectName("native"), request_id=request),
        actor=SubjectId("u_1"),
        actor_name="ada",
    )


def test_bounds_rise_and_coarser_ones_are_some_of_the_finer() -> None:
    assert list(SECONDS) == sorted(set(SECONDS))
    assert set(REQUESTS) <= set(SECONDS)
    assert list(FINE + COARSE) == list(SECONDS)
    for bounds in (REQUESTS, COMMITS, LONG):
        assert list(bounds) == sorted(set(bounds))


def test_a_tally_counts_up_to_each_bound_and_all_of_them() -> None:
    tally = Tally((1.0, 2.0, 4.0))
    for value in (0.5, 1.0, 1.5, 4.0, 100.0):
        tally.note(value)
    assert list(tally.upto((1.0, 4.0))) == [(1.0, 2), (4.0, 4), (float("inf"), 5)]
    assert tally.total == 107.0


def test_checks_are_shown_from_a_microsecond_up_and_requests_by_larger_steps() -> None:
    metrics = Metrics()
    tally: RouteTally = metrics.route("native", "/v1/check")
    tally.check = True
    tally.answered(204, 0.000_004)
    tally.answered(401, 0.000_3)
    metrics.answered("native", "/v1/login", 200, 0.03, None, "r1")
    page = lines(metrics)
    native = 'dialect="native",'
    for line in (
        f'lastcall_check_seconds_bucket{{{native}le="3e-06",route="/v1/check"}} 0.0',
        f'lastcall_check_seconds_bucket{{{native}le="5e-06",route="/v1/check"}} 1.0',
        f'lastcall_request_seconds_bucket{{{native}le="0.0001",route="/v1/check"}} 1.0',
        f'lastcall_request_seconds_count{{{native}route="/v1/check"}} 2.0',
        f'lastcall_requests_total{{{native}route="/v1/check",status="204"}} 1.0',
        f'lastcall_requests_total{{{native}route="/v1/login",status="200"}} 1.0',
    ):
        assert line in page, line
    assert not any("check_seconds" in line and "/v1/login" in line for line in page)


def test_logouts_are_timed_however_many_before_were_never_answered() -> None:
    metrics = Metrics()
    for number in range(UNDER_WAY + 1):
        metrics.record(logout(f"lost-{number}"))
    metrics.record(logout("r1"))
    metrics.answered("native", "/v1/logout", 200, 0.003, None, "r1")
    metrics.answered("native", "/v1/logout", 200, 0.003, None, "r1")
    assert 'lastcall_logout_seconds_count{dialect="native"} 1.0' in lines(metrics)


async def test_what_a_store_tells_of_its_commits(tmp_path: Path) -> None:
    metrics = Metrics()
    store = await SqliteStore.open(tmp_path / "lastcall.db")
    store.watch(metrics.work)
    for _ in range(3):
        async with store.transaction(TENANT) as tx:
            await tx.next_serial()
    await store.close()
    page = lines(metrics)
    assert "lastcall_commit_transactions_count 3.0" in page
    assert 'lastcall_commit_transactions_bucket{le="1.0"} 3.0' in page
    assert "lastcall_commit_seconds_count 3.0" in page
    assert "lastcall_commit_sync_seconds_count 3.0" in page
    assert 0 < metrics.work.syncs.total <= metrics.work.commits.total


async def test_how_a_store_stands(tmp_path: Path) -> None:
    world = await make_world()
    one = world.env.store.condition()
    assert (one.backend, one.mode, one.sessions, one.lease) == ("memory", "single", 0, None)
    assert one.subjects > 0
    assert one.bytes > 0
    metrics = Metrics()
    metrics.standing.condition = Condition(
        backend="postgresql", mode="strict", sessions=7, lease=1.5, behind=2, nodes=3
    )
    metrics.standing.folder, metrics.standing.file = tmp_path, tmp_path / "lastcall.db"
    (tmp_path / "lastcall.db").write_bytes(b"12345")
    (tmp_path / "lastcall.db-wal").write_bytes(b"678")
    page = lines(metrics)
    for line in (
        'lastcall_store_info{backend="postgresql",mode="strict"} 1.0',
        "lastcall_sessions_live 7.0",
        "lastcall_lease_seconds 1.5",
        "lastcall_feed_behind 2.0",
        "lastcall_nodes 3.0",
        "lastcall_store_file_bytes 8.0",
    ):
        assert line in page, line
    assert any(line.startswith("lastcall_disk_free_bytes ") for line in page)


def test_a_server_alone_has_no_lease_and_a_folder_that_is_gone_no_size() -> None:
    metrics = Metrics()
    metrics.standing.folder = Path("/nowhere/at/all")
    page = lines(metrics)
    for name in ("lease_seconds", "feed_behind", "disk_free_bytes", "start_seconds"):
        assert f"# TYPE lastcall_{name} gauge" in page
        assert not any(line.startswith(f"lastcall_{name} ") for line in page)


async def test_the_time_until_the_last_application_was_told() -> None:
    metrics, begun = Metrics(), rule(await make_world())
    receipt = Receipt(revocation=begun, sessions_ended=1, complete=True)
    metrics.finished(receipt, Instant(begun.at + 1_500), well=True)
    metrics.finished(receipt, Instant(begun.at - 5), well=False)
    page = lines(metrics)
    name = "lastcall_logged_out_everywhere_seconds"
    assert f'{name}_bucket{{le="1.0",outcome="everyone"}} 0.0' in page
    assert f'{name}_bucket{{le="2.5",outcome="everyone"}} 1.0' in page
    assert f'{name}_sum{{outcome="not_everyone"}} 0.0' in page


def test_the_page_is_one_that_prometheus_reads() -> None:
    metrics = Metrics()
    metrics.work.waited_turn(0.002)
    metrics.work.lagged(0.1)
    metrics.work.spread(0.2)
    with metrics.standing.streaming("native", "/v1/feed"):
        page = metrics.page().decode()
    found = {one.name: one for one in text_string_to_metric_families(page)}
    assert 'lastcall_streams{dialect="native",route="/v1/feed"} 0.0' in lines(metrics)
    assert found["lastcall_streams"].samples[0].value == 1
    assert (
        found["lastcall_build_info"]
        .samples[0]
        .labels["python"]
        .startswith(f"{sys.version_info[0]}.")
    )


def test_a_store_nobody_watches_tells_nobody() -> None:
    observer: Observer = Unobserved()
    observer.committed(1, 0.1)
    observer.synced(0.1)
    observer.waited_turn(0.1)
    observer.lagged(0.1)
    observer.spread(0.1)
