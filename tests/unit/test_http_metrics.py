"""What is counted of requests, when, and which answers have an exemplar."""

import asyncio

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.exposition import generate_latest

from app.metrics.http import BUCKETS, HttpMetrics


def test_each_slow_answer_has_an_exemplar_and_of_the_others_ten_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("app.metrics.http.monotonic", lambda: now[0])
    registry = CollectorRegistry()
    metrics = HttpMetrics(registry)

    def answered(seconds: float, trace_id: str) -> str:
        metrics.answered("GET", "/goods", 200, seconds, trace_id=trace_id)
        text: bytes = generate_latest(registry)  # type: ignore[no-untyped-call]  # the library has no types here
        return text.decode()

    assert 'trace_id="first"' in answered(0.002, "first")
    assert 'trace_id="second"' not in answered(0.002, "second")
    assert 'trace_id="slow"' in answered(0.3, "slow")
    assert 'trace_id="slower"' in answered(0.3, "slower")
    now[0] += 0.1
    assert 'trace_id="third"' in answered(0.002, "third")


def test_what_was_counted_is_there_whenever_somebody_looks() -> None:
    registry = CollectorRegistry()
    metrics = HttpMetrics(registry)
    durations = [0.0, 0.001, 0.0011, 0.25, 0.2500001, 10.0, 11.0]
    for seconds in durations:
        metrics.began("GET")
        metrics.answered("GET", "/goods", 200, seconds)
    metrics.began("BREW")
    metrics.ended("GET")
    labels = {"method": "GET", "route": "/goods", "status_class": "2xx"}

    def value(name: str, **more: str) -> float | None:
        return registry.get_sample_value(name, more)

    for _ in range(2):  # to look changes nothing
        assert value("http_requests_total", method="GET", route="/goods", status="200") == len(durations)
        assert value("http_request_duration_seconds_count", **labels) == len(durations)
        assert value("http_request_duration_seconds_sum", **labels) == pytest.approx(sum(durations))
        for bound in BUCKETS:
            within = sum(seconds <= bound for seconds in durations)
            assert value("http_request_duration_seconds_bucket", **labels, le=str(bound)) == within
        assert value("http_requests_in_progress", method="GET") == len(durations) - 1
        assert value("http_requests_in_progress", method="_OTHER") == 1


async def test_several_workers_are_told_at_the_end_of_each_turn() -> None:
    registry = CollectorRegistry()
    metrics = HttpMetrics(registry, several_workers=True)
    unasked = next(
        collector for collector, names in registry._collector_to_names.items() if "http_requests_total" in names
    )
    metrics.answered("GET", "/goods", 200, 0.001)
    metrics.answered("GET", "/goods", 200, 0.001)
    await asyncio.sleep(0)
    (counted,) = [sample for metric in unasked.collect() for sample in metric.samples]
    assert counted.value == 2
