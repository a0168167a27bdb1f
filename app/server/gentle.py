"""What stands between a response and the connection, so that the connection ends as the client needs it."""

import asyncio
from collections.abc import Callable

from uvicorn._types import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, ASGISendEvent, Scope
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

_MOST_HELD = 65_536  # bytes


class GentleTransport:
    """The transport as a response sees it: closed when the client has read, and written to at the end of a turn.

    uvicorn writes head and body one after the other, and uvloop hands each to the kernel at once: two system calls, two
    packets, and a client that is woken for each answer. What one turn of the loop answers is written in one go
    instead: many point reads are, as they share a query. A large piece does not wait.
    """

    __slots__ = ("_close", "_held", "_loop", "_size", "_write", "is_closing")

    def __init__(
        self, transport: asyncio.Transport, close: Callable[[], None], loop: asyncio.AbstractEventLoop
    ) -> None:
        self._write = transport.write
        self.is_closing = transport.is_closing
        self._close = close
        self._loop = loop
        self._held: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> None:
        if not self._held:
            self._loop.call_soon(self.flush)
        self._held.append(data)
        self._size += len(data)
        if self._size > _MOST_HELD:
            self.flush()

    def flush(self) -> None:
        """Write what is held, unless the connection has gone meanwhile."""
        if not self._held:
            return
        data = self._held[0] if len(self._held) == 1 else b"".join(self._held)
        self._held.clear()
        self._size = 0
        if not self.is_closing():
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
