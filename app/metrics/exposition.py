"""What `/metrics` shows: one process's registry, or the sums over several workers."""

import os
from pathlib import Path

from prometheus_client import (
    CollectorRegistry,
    Gauge,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    values,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.openmetrics import exposition as openmetrics

from app.metrics.process import WorkerProcess

_OPENMETRICS = "application/openmetrics-text"


def several_workers() -> bool:
    """Whether this process is one of several, which keep their metrics in files that all of them read."""
    return "PROMETHEUS_MULTIPROC_DIR" in os.environ


class Exposition:
    """The registry that collectors are made in, and its text.

    With several workers, each keeps its values in files named after its index rather than its process id: a
    worker that replaces a dead one goes on where that one ended, so counters never fall and no file is left over.
    """

    def __init__(self, *, version: str, worker: int = 0) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the library has no types here
        self.registry = CollectorRegistry()
        self._worker: WorkerProcess | None = None
        if several_workers():
            for stale in Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]).glob(f"gauge_*_{worker}.db"):
                stale.unlink()  # a dead worker's requests are not in progress any more
            values.ValueClass = values.MultiProcessValue(lambda: worker)  # type: ignore[no-untyped-call]  # as above
            self._worker = WorkerProcess(self.registry, worker)
        else:
            ProcessCollector(registry=self.registry)
            PlatformCollector(registry=self.registry)
            GCCollector(registry=self.registry)
        build = Gauge(
            "goods_api_build_info", "The release that is running.", ["version"],
            multiprocess_mode="max", registry=self.registry,
        )  # fmt: skip
        build.labels(version).set(1)

    def sample(self) -> None:
        """Bring this worker's process metrics up to date; without several workers they always are."""
        if self._worker:
            self._worker.sample()

    def render(self, accept: str) -> tuple[bytes, str]:
        """The text and its content type: OpenMetrics for a scraper that asks for it, else Prometheus's own."""
        registry = self.registry
        if several_workers():
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # as above
        # Not the library's choose_encoder: it raises for a version that is no number, and repeats any other one.
        if any(media.partition(";")[0].strip().lower() == _OPENMETRICS for media in accept.split(",")):
            text = openmetrics.generate_latest(registry)  # type: ignore[no-untyped-call]  # as above
            return text, openmetrics.CONTENT_TYPE_LATEST
        return generate_latest(registry), CONTENT_TYPE_PLAIN_0_0_4
