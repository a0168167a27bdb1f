"""One line for each request, when its answer is complete."""

from starlette.types import Scope

from app.logs.access import AccessLog
from app.middleware.route import route_template
from app.middleware.stack import seconds_since_start

_STATUS = "goods.status"


class AccessLogMiddleware:
    """Writes the access line. The path is logged as it came, without the query, which may hold anything.

    A step of the stack.
    """

    def __init__(self, log: AccessLog) -> None:
        self._log = log

    def begin(self, scope: Scope) -> None:
        """Nothing to do yet."""

    def answer(self, scope: Scope, status: int, _: list[tuple[bytes, bytes]]) -> None:
        scope["state"][_STATUS] = status

    def end(self, scope: Scope) -> None:
        state = scope["state"]
        self._log.write(
            context=state["context"],
            method=scope["method"],
            route=route_template(scope),
            path=scope["raw_path"].decode("latin-1"),
            status=state.get(_STATUS, 500),  # what the server answers when the application is cut off before it could
            duration_seconds=seconds_since_start(scope),
        )
