"""What stands between a response and the connection, so that the connection ends as the client needs it."""

import asyncio
from collections.abc import Callable

from uvicorn._types import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, ASGISendEvent, Scope
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle


class GentleTransport:
    """The transport as a response sees it: closed when the client has read, and written to once for head and body.

    uvicorn writes them one after the other, and uvloop hands each to the kernel at once: two system calls and two
    packets. The head waits for its body, at most until the loop's next turn: a stream's body may take long.
    """

    __slots__ = ("_close", "_held", "_loop", "_write", "is_closing")

    def __init__(
        self, transport: asyncio.Transport, close: Callable[[], None], loop: asyncio.AbstractEventLoop
    ) -> None:
        self._write = transport.write
        self.is_closing = transport.is_closing
        self._close = close
        self._loop = loop
        self._held: bytes | None = None

    def write(self, data: bytes) -> None:
        if self._held is None:
            self._held = data
            self._loop.call_soon(self.flush)
        else:
            data, self._held = self._held + data, None
            self._write(data)

    def flush(self) -> None:
        """Write what is held."""
        if self._held is not None:
            data, self._held = self._held, None
            self._write(data)

    def close(self) -> None:
        self.flush()
        self._close()


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
