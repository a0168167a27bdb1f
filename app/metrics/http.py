"""HTTP metrics. Label values are bounded: a fixed list of methods, route templates, status codes."""

import asyncio
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from time import monotonic

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric
from prometheus_client.registry import Collector

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER_METHOD = "_OTHER"
_SLOW = 0.25  # seconds
_BETWEEN_EXEMPLARS = 0.1  # seconds
# Seconds; one bound exactly at 0.25, which the latency objective asks about.
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Durations(Histogram):
    """A histogram that takes many observations at once."""

    def add(self, total: float, counts: Sequence[int]) -> None:
        """Add observations that add up to `total`, so many for each bucket."""
        self._sum.inc(total)
        for bucket, count in zip(self._buckets, counts, strict=True):
            if count:
                bucket.inc(count)


class _Answers:
    """Those of one set of labels: their collectors, and what these have not been told yet."""

    __slots__ = ("buckets", "count", "duration", "next_exemplar", "requests", "seconds")

    def __init__(self, requests: Counter, duration: Durations) -> None:
        self.requests = requests
        self.duration = duration
        self.next_exemplar = 0.0
        self._begin()

    def _begin(self) -> None:
        self.count = 0
        self.seconds = 0.0
        self.buckets = [0] * (len(BUCKETS) + 1)

    def settle(self) -> None:
        """Tell the collectors."""
        if self.count:
            self.requests.inc(self.count)
            self.duration.add(self.seconds, self.buckets)
            self._begin()


class HttpMetrics(Collector):
    """Counts requests. Each label set's collectors are looked up once and kept: they are few.

    To call a collector takes longer than to add a number, so they are told when somebody looks: the registry asks for
    this one's metrics, of which it has none, before theirs. Several workers read each other's numbers from files, and
    there they are told at the end of each turn of the event loop.
    """

    def __init__(self, registry: CollectorRegistry, *, several_workers: bool = False) -> None:
        registry.register(self)
        self._requests = Counter(
            "http_requests_total", "Requests answered.", ["method", "route", "status"], registry=registry
        )
        self._duration = Durations(
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
        self._answers: dict[tuple[str, str, int], _Answers] = {}
        self._begun = dict.fromkeys(self._in_progress, 0)  # more than have ended, since the gauges were told
        self._at_turns_end = several_workers
        self._scheduled = False

    def began(self, method: str) -> None:
        """Count a request as in progress, until `ended` is called."""
        self._begun[method if method in METHODS else OTHER_METHOD] += 1
        if self._at_turns_end:
            self._settle_later()

    def ended(self, method: str) -> None:
        """Count it so no longer: its response is complete, or is a stream."""
        self._begun[method if method in METHODS else OTHER_METHOD] -= 1
        if self._at_turns_end:
            self._settle_later()

    def answered(self, method: str, route: str, status: int, seconds: float, *, trace_id: str | None = None) -> None:
        """Count one answer. `trace_id` becomes the exemplar of its duration.

        That is of each slow answer, and for each set of labels of ten others a second: a scrape shows one for each
        bucket, and to set one takes as long as to count.
        """
        key = (method if method in METHODS else OTHER_METHOD, route, status)
        answers = self._answers.get(key) or self._new(key)
        answers.count += 1
        shown = seconds > _SLOW
        if not shown and (now := monotonic()) >= answers.next_exemplar:
            shown, answers.next_exemplar = True, now + _BETWEEN_EXEMPLARS
        if shown and trace_id:
            answers.duration.observe(seconds, {"trace_id": trace_id})
        else:
            answers.seconds += seconds
            answers.buckets[bisect_left(BUCKETS, seconds)] += 1
        if self._at_turns_end:
            self._settle_later()

    def collect(self) -> Iterable[Metric]:
        """Tell the collectors what has happened until now; there is nothing else to show."""
        self.settle()
        return ()

    def settle(self) -> None:
        """Tell the collectors what has happened until now."""
        self._scheduled = False
        for method, count in self._begun.items():
            if count:
                self._in_progress[method].inc(count)
                self._begun[method] = 0
        for answers in self._answers.values():
            answers.settle()

    def _settle_later(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self.settle)

    def _new(self, key: tuple[str, str, int]) -> _Answers:
        method, route, status = key
        answers = self._answers[key] = _Answers(
            self._requests.labels(method, route, str(status)),
            self._duration.labels(method, route, f"{status // 100}xx"),
        )
        return answers
