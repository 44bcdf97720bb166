"""What the figures are fed with."""

from lastcall.domain.types import SECOND, EndReason
from lastcall.index import Index
from lastcall.main.backends import Backends
from lastcall.metrics import Metrics
from lastcall.settings import Configured


def figures(configured: Configured, backends: Backends) -> Metrics:
    metrics = Metrics()
    backends.store.on_record = lambda record: metrics.record(record.event)
    backends.store.watch(metrics.work)
    metrics.watch_queue(lambda: backends.passwords.waiting)
    metrics.standing.folder = configured.own.parent
    metrics.standing.file = None if configured.settings.store.on_postgres else configured.store
    metrics.standing.restored = _restored(backends.store.index)
    return metrics


def _restored(index: Index) -> float | None:
    """When a rollback was accepted last, of those whose receipts are still kept."""
    revocations = (
        receipt.revocation
        for shelf in index.shelves.values()
        for receipt in shelf.receipts.values()
    )
    ended = [one.at for one in revocations if one.why is EndReason.STORE_RESTORED]
    return max(ended) / SECOND if ended else None
