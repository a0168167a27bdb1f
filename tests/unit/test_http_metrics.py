"""Which answers have an exemplar."""

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.exposition import generate_latest

from app.metrics.http import HttpMetrics


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
