"""Process metrics of one of several workers. prometheus_client's own collector knows only its own process."""

import os
import resource
import time
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge

_PAGE = resource.getpagesize()


class WorkerProcess:
    """CPU, memory and descriptors of this worker, under the names that Prometheus clients have for them."""

    def __init__(self, registry: CollectorRegistry, worker: int) -> None:
        def gauge(name: str, text: str) -> Gauge:
            metric = Gauge(name, text, ["worker"], multiprocess_mode="mostrecent", registry=registry)
            return metric.labels(str(worker))

        self._cpu = Counter("process_cpu_seconds", "User and system CPU time.", ["worker"], registry=registry).labels(
            str(worker)
        )
        self._memory = gauge("process_resident_memory_bytes", "Resident memory.")
        self._descriptors = gauge("process_open_fds", "Open file descriptors.")
        gauge("process_start_time_seconds", "Start time since the epoch.").set(time.time())
        self._counted = 0.0
        self.sample()

    def sample(self) -> None:
        """Read the figures anew."""
        times = os.times()
        used = times.user + times.system
        self._cpu.inc(used - self._counted)
        self._counted = used
        statm = Path("/proc/self/statm")
        if statm.exists():  # not on macOS
            self._memory.set(int(statm.read_text().split()[1]) * _PAGE)
            self._descriptors.set(sum(1 for _ in Path("/proc/self/fd").iterdir()))
