"""Metrics of the connection pools and of what was last learnt about the database. Nothing here asks it anything."""

import time
from collections.abc import Iterable
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class PoolState(Protocol):
    """What a pool can tell of itself."""

    name: str
    size: int

    @property
    def open_connections(self) -> int: ...
    @property
    def idle_connections(self) -> int: ...


class DatabaseMetrics:
    """The collectors; also the observer that pools report to."""

    def __init__(
        self, registry: CollectorRegistry, pools: Iterable[str] = ("primary", "background", "replica")
    ) -> None:
        def gauge(name: str, text: str, mode: str = "livesum", labels: tuple[str, ...] = ("pool",)) -> Gauge:
            return Gauge(name, text, labels, multiprocess_mode=mode, registry=registry)  # type: ignore[arg-type]  # a Literal there

        self._size = gauge("database_pool_size", "Connections that the pool may open.")
        self._open = gauge("database_pool_open_connections", "Connections that are open.")
        self._in_use = gauge("database_pool_in_use_connections", "Connections that run a statement.")
        wait = Histogram(
            "database_pool_wait_seconds",
            "Time spent waiting for a connection, when none was free at once.",
            ["pool"],
            buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5),
            registry=registry,
        )
        exhausted = Counter(
            "database_pool_exhausted_total", "Requests given up because no connection became free.", ["pool"],
            registry=registry,
        )  # fmt: skip
        self._wait = {name: wait.labels(name) for name in pools}
        self._exhausted = {name: exhausted.labels(name) for name in pools}
        self.up = gauge("database_up", "Whether the last background query was answered.", "mostrecent", ())
        self.size_bytes = gauge("database_size_bytes", "Size of the database on disk.", "mostrecent", ())
        self._age = gauge(
            "database_gauges_age_seconds",
            "Time since the gauges about goods and the database were refreshed.",
            "mostrecent",
            (),
        )
        self._refreshed_at = time.monotonic()

    def waited(self, pool: str, seconds: float) -> None:
        self._wait[pool].observe(seconds)

    def exhausted(self, pool: str) -> None:
        self._exhausted[pool].inc()

    def refreshed(self) -> None:
        """The gauges about the database have just been set."""
        self._refreshed_at = time.monotonic()

    def sample(self, pools: Iterable[PoolState]) -> None:
        """Set what is known without asking anybody: the pools' state and the gauges' age."""
        for pool in pools:
            opened = pool.open_connections
            self._size.labels(pool.name).set(pool.size)
            self._open.labels(pool.name).set(opened)
            self._in_use.labels(pool.name).set(opened - pool.idle_connections)
        self._age.set(time.monotonic() - self._refreshed_at)
