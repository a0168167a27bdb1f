"""What uvicorn would answer itself, in plain text or not at all: requests that never become one.

The parser's complaints are answered as problems, logged and counted; a head has a deadline and a size; and a
connection is closed only after the client had the time to read what it was told.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.server.body_fault import mark_body_fault


@dataclass(frozen=True)
class ProtocolLimits:
    """Seconds and bytes. After an answer, up to `linger_bytes` for `linger_seconds` are read and thrown away."""

    header_timeout: float
    max_head_bytes: int = 65_536
    linger_bytes: int = 16 * 1024 * 1024
    linger_seconds: float = 5.0


@dataclass(frozen=True)
class Rejection:
    """A request that the application never saw. `name` is that of the problem."""

    status: int
    name: str
    detail: str


@dataclass(frozen=True)
class Answer:
    """What to tell the client of a rejection."""

    request_id: str
    body: bytes


Rejecter = Callable[[Rejection], Answer]


class GuardedProtocol(HttpToolsProtocol):
    """uvicorn's protocol with the above. `protocol_class` gives it its limits."""

    limits: ProtocolLimits
    reject: Rejecter

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._head_timer: asyncio.TimerHandle | None = None
        self._linger_timer: asyncio.TimerHandle | None = None
        self._in_head = False
        self._head_bytes = 0
        self._lingered: int | None = None  # bytes thrown away since the last answer; None while talking
        self._closing: _ClosesGently | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        self._closing = _ClosesGently(transport, self.linger)
        self._head_timer = self.loop.call_later(self.limits.header_timeout, self._head_is_late)

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._head_timer, self._linger_timer):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._lingered is not None:
            self._throw_away(data)
            return
        self._unset_keepalive_if_required()
        head_before = self._in_head
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # Taken as the plain request that it also is; the parser reads nothing more from this connection.
            self.cycle.keep_alive = False
        except httptools.HttpParserError as error:
            self._refuse(_rejection(error))
            return
        if head_before and self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > self.limits.max_head_bytes:
                self._refuse(_HEAD_TOO_LARGE)

    def eof_received(self) -> None:
        if self._lingered is not None:
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        self._refuse(Rejection(400, "malformed-request", msg))

    # The parser's callbacks

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        self._head_bytes = 0
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self.limits.header_timeout, self._head_is_late)

    def on_headers_complete(self) -> None:
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > self.limits.max_head_bytes:
            raise _Refused(_HEAD_TOO_LARGE)
        if self.parser.get_http_version() == "1.1" and not any(name == b"host" for name, _ in self.headers):
            raise _Refused(Rejection(400, "malformed-request", "The Host header is missing (RFC 9112, section 3.2)."))
        super().on_headers_complete()
        self._in_head = False
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
        self.cycle.transport = self._closing  # type: ignore[assignment]  # closes after the client has read

    def on_response_complete(self) -> None:
        if self.cycle.more_body and not self.pipeline:
            self.server_state.total_requests += 1
            self.linger()
        else:
            super().on_response_complete()

    # Refusing

    def _head_is_late(self) -> None:
        self._head_timer = None
        if self._in_head:
            detail = f"The request's head did not arrive within {self.limits.header_timeout:g} seconds."
            self._refuse(Rejection(408, "request-timeout", detail))
        elif self.cycle is None:
            self.transport.close()  # nothing was asked

    def _refuse(self, rejection: Rejection) -> None:
        """Answer, unless the application is at it: then what it answers must stay the only answer."""
        cycle = self.cycle
        busy = cycle is not None and not cycle.response_complete
        if busy and cycle.more_body:
            mark_body_fault(cycle.scope, "The body's framing is broken.")
            cycle.more_body = False
            cycle.keep_alive = False
            cycle.message_event.set()
            self._lingered = 0
            return
        answer = self.reject(rejection)
        self._in_head = False
        if busy:
            cycle.keep_alive = False
            self._lingered = 0
            return
        self.transport.write(_response(rejection, answer))
        self.linger()

    # Closing

    def linger(self) -> None:
        """Close so that the client can read the answer: to close with unread data would reset the connection."""
        if self.transport.is_closing() or self._linger_timer is not None:
            return
        self._lingered = 0
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._linger_timer = self.loop.call_later(self.limits.linger_seconds, self.transport.close)

    def _throw_away(self, data: bytes) -> None:
        self._lingered = (self._lingered or 0) + len(data)
        if self._lingered > self.limits.linger_bytes:
            self.transport.close()


class _ClosesGently:
    """The transport as a response sees it: written to as ever, and closed when the client has read."""

    __slots__ = ("close", "is_closing", "write")

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None]) -> None:
        self.write = transport.write
        self.is_closing = transport.is_closing
        self.close = close


class _Refused(Exception):
    """Raised inside a parser's callback; the parser wraps it in an error of its own."""

    def __init__(self, rejection: Rejection) -> None:
        super().__init__(rejection.detail)
        self.rejection = rejection


_HEAD_TOO_LARGE = Rejection(431, "head-too-large", "The request line and headers are larger than the service reads.")


def _rejection(error: BaseException) -> Rejection:
    cause = error.__context__
    if isinstance(cause, _Refused):
        return cause.rejection
    return Rejection(400, "malformed-request", "The HTTP parser could not read the request.")


def _response(rejection: Rejection, answer: Answer) -> bytes:
    phrase = HTTPStatus(rejection.status).phrase
    head = (
        f"HTTP/1.1 {rejection.status} {phrase}\r\n"
        "content-type: application/problem+json\r\n"
        f"content-length: {len(answer.body)}\r\n"
        f"x-request-id: {answer.request_id}\r\n"
        "connection: close\r\n\r\n"
    )
    return head.encode("ascii") + answer.body


def protocol_class(limits: ProtocolLimits, reject: Rejecter) -> type[GuardedProtocol]:
    """The protocol with its limits, for uvicorn, which makes an instance for each connection."""
    return type("Protocol", (GuardedProtocol,), {"limits": limits, "reject": staticmethod(reject)})
