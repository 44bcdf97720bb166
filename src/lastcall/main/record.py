"""The record: the store that the settings name."""

from secrets import token_hex

from lastcall.domain.types import Duration
from lastcall.machine import SystemClock
from lastcall.main.errors import StoreRestored
from lastcall.main.loading import LoadingShown
from lastcall.settings import Configured
from lastcall.stores import postgres, sqlite

Store = sqlite.SqliteStore | postgres.PostgresStore


async def open_record(
    configured: Configured, *, accept_rollback: bool, guest: bool, shared: str
) -> Store:
    """A guest is no node: it comes for one operation beside whatever nodes there are. `shared` is
    what all nodes must have in common. Raises `StoreRestored` and `StoreUnavailable`."""
    try:
        if not configured.settings.store.on_postgres:
            return await sqlite.SqliteStore.open(
                configured.store,
                witness=configured.witness,
                accept_rollback=accept_rollback,
                progress=LoadingShown(),
            )
        return await postgres.open_store(
            server_of(configured),
            name_of(configured, guest=guest),
            witness=configured.witness
            or configured.own.with_name(configured.own.name + ".witness"),
            strict=configured.settings.store.mode == "strict",
            accept_rollback=accept_rollback,
            shared=shared,
            progress=LoadingShown(),
        )
    except (sqlite.RolledBack, postgres.RolledBack) as error:
        raise StoreRestored(str(error)) from error


def server_of(configured: Configured) -> postgres.Server:
    store = configured.settings.store
    return postgres.Server(
        url=store.url,
        password=store.password,
        commits=store.synchronous_commit,
        connecting=store.connect_timeout / 1_000,
        answering=store.timeout / 1_000,
    )


def name_of(configured: Configured, *, guest: bool) -> postgres.Name:
    lease = configured.settings.store.lease / 1_000
    node = f"{configured.node}+guest-{token_hex(4)}" if guest else configured.node
    return postgres.Name(node=node, lease=lease, guest=guest)


def where(configured: Configured) -> str:
    """For the log: never with a password."""
    store = configured.settings.store
    return postgres.shown(store.url) if store.on_postgres else str(configured.store)


def keep_in_time(clock: SystemClock, store: Store) -> None:
    """All nodes go by the database's clock, however long they run."""
    if isinstance(store, postgres.PostgresStore):
        store.following.on_time = clock.steer


def offset_of(store: Store) -> Duration:
    """What to add to this machine's time of day for the one all nodes go by."""
    return store.offset if isinstance(store, postgres.PostgresStore) else Duration(0)
