"""What stands between a response and the connection, so that the connection ends as the client needs it."""

import asyncio
from collections.abc import Callable

from uvicorn._types import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, ASGISendEvent, Scope
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle


class GentleTransport:
    """The transport as a response sees it: written to as ever, and closed when the client has read."""

    __slots__ = ("close", "is_closing", "write")

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None]) -> None:
        self.write = transport.write
        self.is_closing = transport.is_closing
        self.close = close


class _NoHeaders(list[tuple[bytes, bytes]]):
    """Where a chunked body's trailers go: nowhere. uvicorn would add them to the headers that were acted upon."""

    def append(self, _: tuple[bytes, bytes]) -> None:
        pass


TRAILERS = _NoHeaders()


def closing_unless_read(app: ASGI3Application, cycle: RequestResponseCycle) -> ASGI3Application:
    """The application, whose answer says that the connection ends when it begins before the body was received."""

    async def closing(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if not cycle.more_body:  # a small body comes together with its head, and is here by now
            await app(scope, receive, send)
            return

        async def announced(message: ASGISendEvent) -> None:
            if cycle.more_body:
                cycle.keep_alive = False
            await send(message)

        await app(scope, receive, announced)

    return closing
