"""One line for each request, when its answer is complete."""

from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.logs.access import AccessLog
from app.middleware.route import route_template


class AccessLogMiddleware:
    """Writes the access line. The path is logged as it came, without the query, which may hold anything."""

    def __init__(self, app: ASGIApp, *, log: AccessLog) -> None:
        self.app = app
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = perf_counter()
        status = 500  # what the server answers when the application is cut off before it could

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, watched)
        finally:
            self._log.write(
                context=scope["state"]["context"],
                method=scope["method"],
                route=route_template(scope),
                path=scope["raw_path"].decode("latin-1"),
                status=status,
                duration_seconds=perf_counter() - started,
            )
