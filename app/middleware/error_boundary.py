"""The last one to catch an error: whatever it was, the caller gets a problem and the log gets the stack."""

import logging

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors.domain import GoodsApiError, MalformedRequest
from app.errors.http import internal_error_response, problem_response

log = logging.getLogger("goods.errors")


class ErrorBoundaryMiddleware:
    """Turns errors into answers, unless the answer has begun: then the connection is cut."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except GoodsApiError as error:
            if begun:
                raise
            await problem_response(error, scope)(scope, receive, send)
        except ClientDisconnect:
            if begun:
                raise
            # Nobody is left to read it, but it is logged and counted: as the client's doing, not as a fault of ours.
            gone = MalformedRequest("The connection ended before the body did.")
            await problem_response(gone, scope)(scope, receive, send)
        except Exception:
            log.exception("a request met a fault of the service", extra={"event": "error.unhandled"})
            if begun:
                raise
            await internal_error_response(scope)(scope, receive, send)
