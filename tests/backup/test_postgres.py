"""PostgreSQL has tools of its own for backups; what they put back revives nothing once declared."""

from pathlib import Path

import pytest

from lastcall.domain.audit import Action
from lastcall.domain.session import State, state_of
from lastcall.domain.types import EndReason, ReceiptId
from lastcall.stores.postgres import Name, PostgresStore, Server, open_store
from tests.contract.rows import NOW, ONE, TWO, fill, token_of
from tests.e2e.server import lastcall

pytestmark = pytest.mark.slow


async def a_node(url: str, witness: Path, *, declared: bool = False) -> PostgresStore:
    name = Name(node="a", instance="", lease=0.2)
    return await open_store(Server(url=url), name, witness=witness, accept_rollback=declared)


@pytest.mark.parametrize("witness", ["kept", "lost", "unreadable"])
async def test_declared_restored_it_has_no_live_session(
    postgres_url: str, tmp_path: Path, witness: str
) -> None:
    """Also where nothing says that it was restored."""
    memory = tmp_path / "witness"
    store = await a_node(postgres_url, memory)
    await fill(store)
    await fill(store, 1, tenant=TWO)
    await store.close()
    if witness == "lost":
        memory.unlink()
    elif witness == "unreadable":
        memory.write_bytes(b"torn" * 300)
    before = store.feed.position
    declared = await a_node(postgres_url, memory, declared=True)
    assert declared.feed.position.epoch != before.epoch
    await declared.close()
    store = await a_node(postgres_url, memory)
    for number, tenant in ((1, ONE), (2, ONE), (3, ONE), (1, TWO)):
        found = await store.find(token_of(number, tenant))
        assert found is not None
        assert state_of(found.session, NOW, found.revoked_before) is State.REVOKED
    for tenant in (ONE, TWO):
        async with store.transaction(tenant) as tx:
            (event,) = [one.event for one in await tx.records()]
            assert event.action is Action.STORE_RESTORED
            receipt = await tx.receipt(ReceiptId(event.detail["receipt"]))
            assert receipt is not None
            assert receipt.revocation.why is EndReason.STORE_RESTORED
    assert len(await store.unswept()) == 2
    await store.close()


@pytest.mark.e2e
def test_the_commands_say_whose_work_it_is(postgres_url: str, tmp_path: Path) -> None:
    config = tmp_path / "lastcall.toml"
    config.write_text(f'[store]\nurl = "{postgres_url}"\n')
    given = ("--config", str(config))
    made = lastcall("backup", "create", str(tmp_path / "backup"), *given)
    assert (made.returncode, "tools of its database" in made.stderr) == (2, True)
    put_back = lastcall("backup", "restore", str(tmp_path / "backup"), "--yes", *given)
    assert (put_back.returncode, "lastcall accept-restored" in put_back.stderr) == (1, True)
    declared = lastcall("accept-restored", "--yes", *given)
    assert declared.returncode == 0, declared.stderr
    assert "every session has ended" in declared.stderr
