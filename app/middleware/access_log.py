"""One line for each request, when its answer is complete."""

from collections.abc import Sequence

from app.logs.access import AccessLog
from app.middleware.stack import Ended, Step


class AccessLogMiddleware(Step):
    """Writes the access line. The path is logged as it came, without the query, which may hold anything."""

    def __init__(self, log: AccessLog) -> None:
        self._log = log

    def ended(self, requests: Sequence[Ended]) -> None:
        self._log.write_all(
            [
                (
                    moment,
                    scope["state"]["context"],
                    scope["method"],
                    template,
                    scope["raw_path"].decode("latin-1"),
                    status or 500,  # what the server answers when the application is cut off before it could
                    in_all,
                )
                for scope, template, status, _, in_all, moment in requests
            ]
        )
