"""The HTTP metrics: every route is counted, with nothing to remember when one is added."""

from time import perf_counter

from starlette.types import Scope

from app.metrics.http import HttpMetrics
from app.middleware.route import is_stream, route_template

_STARTED = "goods.started"


class PrometheusMiddleware:
    """Counts each request once, when its answer begins; in progress until the answer is complete.

    A stream is in progress until it begins: it says nothing about how busy the service is. A step of the stack.
    """

    def __init__(self, metrics: HttpMetrics) -> None:
        self._metrics = metrics

    def begin(self, scope: Scope) -> None:
        scope["state"][_STARTED] = perf_counter()
        self._metrics.began(scope["method"])

    def answer(self, scope: Scope, status: int, _: list[tuple[bytes, bytes]]) -> None:
        state = scope["state"]
        self._metrics.answered(
            scope["method"],
            route_template(scope),
            status,
            perf_counter() - state[_STARTED],
            trace_id=state["context"].trace_id,
        )
        if is_stream(scope):
            self._metrics.ended(scope["method"])

    def end(self, scope: Scope) -> None:
        if not is_stream(scope):
            self._metrics.ended(scope["method"])
