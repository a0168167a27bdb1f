"""One line for each request, when its answer is complete."""

from starlette.types import Scope

from app.logs.access import AccessLog
from app.middleware.route import route_template
from app.middleware.stack import Step, seconds_since_start, status_of_answer


class AccessLogMiddleware(Step):
    """Writes the access line. The path is logged as it came, without the query, which may hold anything."""

    def __init__(self, log: AccessLog) -> None:
        self._log = log

    def end(self, scope: Scope) -> None:
        self._log.write(
            context=scope["state"]["context"],
            method=scope["method"],
            route=route_template(scope),
            path=scope["raw_path"].decode("latin-1"),
            # 500 is what the server answers when the application is cut off before it could.
            status=status_of_answer(scope) or 500,
            duration_seconds=seconds_since_start(scope),
        )
