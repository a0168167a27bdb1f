"""The HTTP metrics: every route is counted, with nothing to remember when one is added."""

from collections.abc import Sequence

from starlette.types import Scope

from app.metrics.http import HttpMetrics
from app.middleware.route import is_stream, route_template
from app.middleware.stack import Ended, Step, seconds_to_answer


class PrometheusMiddleware(Step):
    """Counts each request once, when its answer begins; in progress until the answer is complete.

    A stream is in progress until it begins: it says nothing about how busy the service is.
    """

    def __init__(self, metrics: HttpMetrics) -> None:
        self._metrics = metrics

    def begin(self, scope: Scope) -> None:
        self._metrics.began(scope["method"])

    def answer(self, scope: Scope, status: int, _: list[tuple[bytes, bytes]]) -> None:
        if is_stream(scope):  # it may not end for hours
            self._count(scope, route_template(scope), status, seconds_to_answer(scope))

    def ended(self, requests: Sequence[Ended]) -> None:
        for scope, template, status, to_answer, *_ in requests:
            if not is_stream(scope):
                self._count(scope, template, status, to_answer)

    def _count(self, scope: Scope, template: str, status: int | None, seconds: float) -> None:
        method = scope["method"]
        self._metrics.ended(method)
        if status is not None:
            self._metrics.answered(method, template, status, seconds, trace_id=scope["state"]["context"].trace_id)
