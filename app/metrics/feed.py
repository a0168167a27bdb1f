"""Metrics of the change feed."""

import time

from prometheus_client import CollectorRegistry, Counter, Gauge


class FeedMetrics:
    """The collectors; also whom the feed tells how it goes."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._numbered = Counter(
            "goods_feed_numbered_total", "Changes that this service gave their position in the feed.", registry=registry
        )
        self._position = Gauge(
            "goods_feed_position",
            "The last position of the feed.",
            multiprocess_mode="mostrecent",
            registry=registry,
        )
        self._lag = Gauge(
            "goods_feed_lag_seconds",
            "Time since every change that was committed had its position in the feed.",
            multiprocess_mode="mostrecent",
            registry=registry,
        )
        self.streams = Gauge(
            "goods_feed_streams", "Streams of changes being served.", multiprocess_mode="livesum", registry=registry
        )
        self._caught_up_at = time.monotonic()

    def numbered(self, changes: int, last: int) -> None:
        """So many changes have just been given their positions, and this is the last of all."""
        self._numbered.inc(changes)
        self._position.set(last)

    def caught_up(self) -> None:
        """Nothing waits for its position."""
        self._caught_up_at = time.monotonic()

    def sample(self) -> None:
        """Set what is known without asking anybody."""
        self._lag.set(time.monotonic() - self._caught_up_at)
