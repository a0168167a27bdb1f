"""How much a client may send, and how long it may take."""

import asyncio
from collections.abc import Iterable, Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors.domain import BodyTooLarge, MalformedRequest, RequestTimeout
from app.server.body_fault import body_fault


class LimitsMiddleware:
    """Bounds a body's size in bytes and the seconds that all of it may take to arrive.

    `bounds` are those of single paths. Of a body to one of `upload_paths` the seconds count from one piece to the next.

    Whoever reads the body is told, out of `receive`, by BodyTooLarge, RequestTimeout or MalformedRequest: without
    reading a byte when Content-Length says it already. Not here: then the request would have no route yet.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        max_body_bytes: int,
        body_timeout: float,
        bounds: Mapping[str, int],
        upload_paths: frozenset[str] = frozenset(),
    ) -> None:
        self.app = app
        self._bounds = bounds
        self._upload_paths = upload_paths
        self._max_body_bytes = max_body_bytes
        self._body_timeout = body_timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            length = _announced(scope["headers"])
            path = scope["path"].rstrip("/")
            most = self._bounds.get(path, self._max_body_bytes)
            if length > most:
                receive = _refusing(most)
            elif length != 0:
                receive = self._bounded(scope, receive, most, upload=path in self._upload_paths)
        await self.app(scope, receive, send)

    def _bounded(self, scope: Scope, receive: Receive, most: int, *, upload: bool) -> Receive:
        received = 0
        deadline: float | None = asyncio.get_running_loop().time() + self._body_timeout

        async def bounded() -> Message:
            nonlocal received, deadline
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                raise RequestTimeout(f"The body did not arrive within {self._body_timeout:g} seconds.") from None
            fault = body_fault(scope)
            if fault is not None:
                raise MalformedRequest(fault)
            received += len(message.get("body", b""))
            if received > most:
                raise BodyTooLarge(most)
            if upload:
                deadline = asyncio.get_running_loop().time() + self._body_timeout
            if not message.get("more_body", False):
                deadline = None  # from now on it is the client's leaving that is waited for, while a stream is sent
            return message

        return bounded


def _refusing(most: int) -> Receive:
    async def refuse() -> Message:
        raise BodyTooLarge(most)

    return refuse


def _announced(headers: Iterable[tuple[bytes, bytes]]) -> int:
    """The body's length in bytes as the head announces it; 0 without a body, -1 when only the end will tell."""
    length = 0
    for name, value in headers:
        if name == b"transfer-encoding":
            return -1
        if name == b"content-length":
            length = int(value)
    return length
