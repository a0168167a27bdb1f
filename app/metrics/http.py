"""HTTP metrics. Label values are bounded: a fixed list of methods, route templates, status codes."""

from dataclasses import dataclass
from time import monotonic

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER_METHOD = "_OTHER"
_SLOW = 0.25  # seconds
_BETWEEN_EXEMPLARS = 0.1  # seconds
# Seconds; one bound exactly at 0.25, which the latency objective asks about.
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


def method_label(method: str) -> str:
    """The method, if it is one that a client would reasonably send."""
    return method if method in METHODS else OTHER_METHOD


@dataclass(slots=True)
class _Known:
    """The collectors of one set of labels, and when an answer of them may have an exemplar again."""

    requests: Counter
    duration: Histogram
    next_exemplar: float = 0.0


class HttpMetrics:
    """Counts requests. The collectors of each label set are looked up once and kept: they are few."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "http_requests_total", "Requests answered.", ["method", "route", "status"], registry=registry
        )
        self._duration = Histogram(
            "http_request_duration_seconds",
            "Time from the request's head to the start of its response.",
            ["method", "route", "status_class"],
            buckets=BUCKETS,
            registry=registry,
        )
        in_progress = Gauge(
            "http_requests_in_progress",
            "Requests whose response is not complete.",
            ["method"],
            multiprocess_mode="livesum",
            registry=registry,
        )
        self._in_progress = {method: in_progress.labels(method) for method in (*METHODS, OTHER_METHOD)}
        self.queued = Gauge(
            "http_requests_queued",
            "Requests that wait for their turn.",
            multiprocess_mode="livesum",
            registry=registry,
        )
        self.refused = Counter(
            "http_requests_turned_away_total", "Requests that found too many others under way.", registry=registry
        )
        self._known: dict[tuple[str, str, int], _Known] = {}

    def began(self, method: str) -> None:
        """Count a request as in progress, until `ended` is called."""
        self._in_progress[method_label(method)].inc()

    def ended(self, method: str) -> None:
        """Count it so no longer: its response is complete, or is a stream."""
        self._in_progress[method_label(method)].dec()

    def answered(self, method: str, route: str, status: int, seconds: float, *, trace_id: str | None = None) -> None:
        """Count one answer. `trace_id` becomes the exemplar of its duration.

        That is of each slow answer, and for each set of labels of ten others a second: a scrape shows one for each
        bucket, and to set one takes as long as to count.
        """
        key = (method_label(method), route, status)
        known = self._known.get(key)
        if known is None:
            method, route, _ = key
            known = self._known[key] = _Known(
                self._requests.labels(method, route, str(status)),
                self._duration.labels(method, route, f"{status // 100}xx"),
            )
        known.requests.inc()
        shown = seconds > _SLOW
        if not shown and (now := monotonic()) >= known.next_exemplar:
            shown, known.next_exemplar = True, now + _BETWEEN_EXEMPLARS
        known.duration.observe(seconds, {"trace_id": trace_id} if shown and trace_id else None)
