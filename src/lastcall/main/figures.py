"""What the figures are fed with."""

from lastcall.main.backends import Backends
from lastcall.metrics import Metrics
from lastcall.settings import Configured


def figures(configured: Configured, backends: Backends) -> Metrics:
    metrics = Metrics()
    backends.store.on_record = lambda record: metrics.record(record.event)
    backends.store.watch(metrics.work)
    metrics.watch_queue(lambda: backends.passwords.waiting)
    metrics.standing.folder = configured.store.parent
    metrics.standing.file = configured.store
    return metrics
