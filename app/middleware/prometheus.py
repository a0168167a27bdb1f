"""The HTTP metrics: every route is counted, with nothing to remember when one is added."""

from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.metrics.http import HttpMetrics
from app.middleware.route import is_stream, route_template


class PrometheusMiddleware:
    """Counts each request once, when its answer begins; in progress until the answer is complete.

    A stream is in progress until it begins: it says nothing about how busy the service is.
    """

    def __init__(self, app: ASGIApp, *, metrics: HttpMetrics) -> None:
        self.app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = perf_counter()
        method = scope["method"]
        in_progress = self._metrics.begin(method)
        streaming = False

        async def counted(message: Message) -> None:
            nonlocal streaming
            if message["type"] == "http.response.start":
                streaming = is_stream(scope)
                if streaming:
                    in_progress.dec()
                self._metrics.answered(
                    method,
                    route_template(scope),
                    message["status"],
                    perf_counter() - started,
                    trace_id=scope["state"]["context"].trace_id,
                )
            await send(message)

        try:
            await self.app(scope, receive, counted)
        finally:
            if not streaming:
                in_progress.dec()
