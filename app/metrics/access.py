"""Metrics of access by keys."""

import time
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge

REFUSALS: Final = ("missing", "unknown", "expired", "revoked", "scope")


class AccessMetrics:
    """The collectors; also what knows how old the knowledge of keys is."""

    def __init__(self, registry: CollectorRegistry) -> None:
        refused = Counter(
            "goods_access_refused_total", "Requests refused for want of a key that allows them.", ["reason"],
            registry=registry,
        )  # fmt: skip
        self._refused = {reason: refused.labels(reason) for reason in REFUSALS}
        self._age = Gauge(
            "goods_access_keys_age_seconds",
            "Time since the keys were read.",
            multiprocess_mode="mostrecent",
            registry=registry,
        )
        self._begun = time.monotonic()
        self._read: float | None = None

    def refused(self, reason: str) -> None:
        self._refused[reason].inc()

    def keys_read(self) -> None:
        """All keys have been read just now."""
        self._read = time.monotonic()

    def keys_age(self) -> float:
        """Seconds since the keys were read; without end when they never were."""
        return float("inf") if self._read is None else time.monotonic() - self._read

    def sample(self) -> None:
        """Set what is known without asking anybody."""
        self._age.set(time.monotonic() - (self._begun if self._read is None else self._read))
