"""The last one to catch an error: whatever it was, the caller gets a problem and the log gets the stack."""

import logging

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.errors.domain import GoodsApiError, MalformedRequest
from app.errors.http import internal_error_response, problem_response
from app.middleware.stack import status_of_answer

log = logging.getLogger("goods.errors")


class ErrorBoundaryMiddleware:
    """Turns errors into answers, unless the answer has begun: then the connection is cut."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            await self.app(scope, receive, send)
        except Exception as error:
            if not isinstance(error, GoodsApiError | ClientDisconnect):
                log.exception("a request met a fault of the service", extra={"event": "error.unhandled"})
            if status_of_answer(scope) is not None:
                raise
            await _answer_to(error, scope)(scope, receive, send)


def _answer_to(error: Exception, scope: Scope) -> Response:
    if isinstance(error, ClientDisconnect):
        # Nobody is left to read it, but it is logged and counted: as the client's doing, not as a fault of ours.
        error = MalformedRequest("The connection ended before the body did.")
    return problem_response(error, scope) if isinstance(error, GoodsApiError) else internal_error_response(scope)
