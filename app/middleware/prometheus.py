"""The HTTP metrics: every route is counted, with nothing to remember when one is added."""

from starlette.types import Scope

from app.metrics.http import HttpMetrics
from app.middleware.route import is_stream, route_template
from app.middleware.stack import Step, seconds_since_start


class PrometheusMiddleware(Step):
    """Counts each request once, when its answer begins; in progress until the answer is complete.

    A stream is in progress until it begins: it says nothing about how busy the service is.
    """

    def __init__(self, metrics: HttpMetrics) -> None:
        self._metrics = metrics

    def begin(self, scope: Scope) -> None:
        self._metrics.began(scope["method"])

    def answer(self, scope: Scope, status: int, _: list[tuple[bytes, bytes]]) -> None:
        method = scope["method"]
        trace_id = scope["state"]["context"].trace_id
        self._metrics.answered(method, route_template(scope), status, seconds_since_start(scope), trace_id=trace_id)
        if is_stream(scope):
            self._metrics.ended(method)

    def end(self, scope: Scope) -> None:
        if not is_stream(scope):
            self._metrics.ended(scope["method"])
