"""uvicorn's HTTP protocol, completed where it would answer in plain text, wait for ever, or cut an answer off.

What the parser rejects is answered as a problem, logged and counted; a head has a deadline and a size; and a
connection is closed only after the client had the time to read what it was told.
"""

import asyncio
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote

import httptools
from uvicorn import Config
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from app.server.body_fault import mark_body_fault
from app.server.cycle import ResponseCycle
from app.server.gentle import TRAILERS, GentleTransport, closing_unless_read
from app.server.keep_alive import KeepAlive
from app.server.rejection import (
    Answer,
    HeadRefused,
    Rejecter,
    Rejection,
    late,
    malformed,
    rejection_of,
    response,
    too_large,
)
from app.server.upgrades import parser_within_body

__all__ = ["Answer", "GuardedProtocol", "ProtocolLimits", "Rejecter", "Rejection", "protocol_class"]

_NOTED = frozenset((b"host", b"content-length", b"transfer-encoding"))


@dataclass(frozen=True)
class ProtocolLimits:
    """Seconds and bytes. After the last answer, up to `linger_bytes` for `linger_seconds` are read and thrown away.

    At the end of the service, idle connections are left open for `last_request_seconds`.
    """

    header_timeout: float
    max_head_bytes: int = 65_536
    linger_bytes: int = 16 * 1024 * 1024
    linger_seconds: float = 5.0
    last_request_seconds: float = 0.5


class GuardedProtocol(HttpToolsProtocol):
    """One connection. `protocol_class` makes the class that has its limits."""

    limits: ProtocolLimits
    reject: Rejecter

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._head_timer: asyncio.TimerHandle | None = None
        self._head_timed = False  # whether that timer is a head's; otherwise that of a connection without one
        self._linger_timer: asyncio.TimerHandle | None = None
        self._discarded: int | None = None  # bytes that were not parsed any more; None while parsing
        self._unframed = 0  # bytes since a head was complete or a piece of a body came
        self._has_body = False  # whether the last head that was read announces a body
        self._due: Rejection | None = None  # to be answered when the answers before it are
        self._running: RequestResponseCycle | None = None
        self._gentle: GentleTransport | None = None
        self._keep_alive = KeepAlive(self.loop, self.timeout_keep_alive, self.timeout_keep_alive_handler)

    # What the transport calls

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        self._gentle = GentleTransport(transport, self._close, self.loop)
        self._head_timer = self.loop.call_later(self.limits.header_timeout, self._head_is_late)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_head_timer()
        if self._linger_timer is not None:
            self._linger_timer.cancel()
        self._keep_alive.stop()
        # uvicorn tells the request that came last; with pipelining that is not the one which is being answered.
        running = self._running
        if running is not None and not running.response_complete:
            running.disconnected = True
            running.message_event.set()
        self.pipeline.clear()
        self._gentle = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._discarded is not None:
            self._discard(len(data))
            return
        self._unset_keepalive_if_required()
        self._unframed += len(data)
        try:
            self.parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as stop:
            if not self._goes_on(data, stop):
                return
        if self._unframed > self.limits.max_head_bytes:
            self._refuse(too_large(self.limits.max_head_bytes))
        elif self.cycle is None or self.cycle.response_complete:
            self._watch_head()

    def eof_received(self) -> None:
        # The client sends no more, and the transport closes when what was written has been sent: so it is written now.
        if self._gentle is not None:
            self._gentle.flush()

    def shutdown(self) -> None:
        if self._linger_timer is not None:
            return
        if self.cycle is None or self.cycle.response_complete:
            # A request may be on its way, from a client that has not heard of the end: it is still answered.
            self.loop.call_later(self.limits.last_request_seconds, self._leave_if_idle)
        else:
            super().shutdown()

    def _leave_if_idle(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()
        else:
            self.cycle.keep_alive = False

    # What the parser calls

    def on_headers_complete(self) -> None:
        if self._head_timer is not None:
            self._stop_head_timer()
        fault = self._head_fault()
        if fault is not None:
            raise HeadRefused(fault)
        before = self.cycle
        self.cycle = self._new_cycle()
        self._unframed = 0
        self.headers = TRAILERS
        if before is None or before.response_complete:
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def on_body(self, body: bytes) -> None:
        self._unframed = 0
        super().on_body(body)

    # What a response calls

    def on_response_complete(self) -> None:
        if self._linger_timer is not None:  # it was the connection's last
            self.server_state.total_requests += 1
            return
        self._finish_response()
        if self.cycle.scope is self.scope and self._discarded is None:
            self._unframed = 0  # nothing of a next request is there
        elif self.cycle.response_complete and not self.transport.is_closing():
            self._begin_next_head()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._running = cycle
        if self._has_body and cycle.more_body:
            app = closing_unless_read(app, cycle)
        super()._start_asgi_task(cycle, app)

    # Heads

    def _new_cycle(self) -> ResponseCycle:
        """The request whose head the parser has just read, as uvicorn reads it; no other protocol is spoken here."""
        version = self.parser.get_http_version()
        url = httptools.parse_url(self.url)
        path = url.path.decode("ascii")
        self.scope["method"] = self.parser.get_method().decode("ascii")
        self.scope["http_version"] = version
        self.scope["path"] = unquote(path) if "%" in path else path
        self.scope["raw_path"] = url.path
        self.scope["query_string"] = url.query or b""
        return ResponseCycle(
            scope=self.scope,
            transport=self._gentle,  # type: ignore[arg-type]  # it has all that a response calls
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=version != "1.0" and self.parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )

    def _goes_on(self, data: bytes, stop: Exception) -> bool:
        """Parse on where the parser stopped at an offer of another protocol; at an error, refuse.

        No other protocol is spoken here, so an offer of one is passed over, as RFC 9110 (7.8) allows.
        """
        rest = memoryview(data)
        while isinstance(stop, httptools.HttpParserUpgrade):
            rest = rest[stop.args[0] :]
            if self._has_body:
                self.cycle.more_body = True
                self.cycle.message_event.clear()
                self.parser = parser_within_body(self, self.cycle.scope["headers"])
            if not rest:
                return True
            try:
                self.parser.feed_data(rest)
            except (httptools.HttpParserError, httptools.HttpParserUpgrade) as next_stop:
                stop = next_stop
            else:
                return True
        self._refuse(rejection_of(stop))
        return False

    def _head_is_open(self) -> bool:
        """Whether a head has begun and is not complete: uvicorn makes a scope at the one and a cycle at the other."""
        return self.scope is not None and (self.cycle is None or self.cycle.scope is not self.scope)

    def _head_fault(self) -> Rejection | None:
        """What is wrong with the head that the parser has just read, beyond what the parser itself refuses."""
        hosts = codings = 0
        self._has_body = False
        for name, value in self.headers:
            if name not in _NOTED:
                continue
            if name == b"host":
                hosts += 1
            elif name == b"content-length":
                self._has_body = int(value) > 0
            else:
                self._has_body = True
                codings += 1 if value.lower() == b"chunked" else 2
        if self._unframed > self.limits.max_head_bytes and self._head_bytes() > self.limits.max_head_bytes:
            return too_large(self.limits.max_head_bytes)
        if hosts != 1 and (hosts or self.parser.get_http_version() != "1.0"):
            return malformed("A request has exactly one Host header (RFC 9112, section 3.2).")
        if codings and (codings > 1 or self.parser.get_http_version() != "1.1"):
            return malformed("The only Transfer-Encoding here is chunked, in HTTP/1.1.")
        return None

    def _head_bytes(self) -> int:
        line = len(self.parser.get_method()) + len(self.url) + len(b"  HTTP/1.1\r\n\r\n")
        return line + sum(len(name) + len(value) + len(b": \r\n") for name, value in self.headers)

    def _begin_next_head(self) -> None:
        """All answers are given, and something of a next request is there: refused by now, or in time from now."""
        self._unset_keepalive_if_required()
        if self._due is not None:
            self._answer(self._due)
        else:
            self._watch_head()

    def _watch_head(self) -> None:
        """Bound the time until the head is complete, from its first byte on."""
        begun = self._head_is_open()
        if self._head_timer is None or (begun and not self._head_timed):
            self._stop_head_timer()
            self._head_timer = self.loop.call_later(self.limits.header_timeout, self._head_is_late)
            self._head_timed = begun

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
            self._head_timed = False

    def _head_is_late(self) -> None:
        if self._head_is_open():
            self._refuse(late(self.limits.header_timeout))
        else:
            self.transport.close()  # nothing was asked

    # Rejections

    def _refuse(self, rejection: Rejection) -> None:
        """Answer, in its turn; but where the application has the request already, it is the application's answer."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            self._answer(rejection)
            return
        self._discarded = 0
        if self._head_is_open() or not cycle.more_body:
            self._due = rejection
            return
        cycle.keep_alive = False
        malformed_body = rejection.status == 400
        mark_body_fault(cycle.scope, rejection.detail if malformed_body else "The body's trailers are too large.")
        cycle.message_event.set()

    def _answer(self, rejection: Rejection) -> None:
        try:
            answer = self.reject(
                replace(
                    rejection,
                    request_id=dict(self.headers or ()).get(b"x-request-id"),
                    client=self.client[0] if self.client else None,
                )
            )
        except BaseException:
            self.transport.abort()
            raise
        if self._gentle is not None:
            self._gentle.flush()  # the answers before it
        self.transport.write(response(rejection, answer, self.server_state.default_headers))
        self._linger()

    # Between requests

    def _finish_response(self) -> None:
        """Begin with the next request if it is there; wait for one otherwise."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
            return
        self._keep_alive.idle()

    def _unset_keepalive_if_required(self) -> None:
        self._keep_alive.busy()

    # Closing

    def _close(self) -> None:
        """Close after an answer: at once only when the client has nothing more to send.

        Otherwise the close would reset the connection, and a reset can overtake the answer.
        """
        nothing_more = self._discarded is None and not self.pipeline and not self.flow.read_paused
        if nothing_more and not self.cycle.more_body and not self._head_is_open():
            self.transport.close()
        else:
            self._linger()

    def _linger(self) -> None:
        if self._linger_timer is not None or self.transport.is_closing():
            return
        self._stop_head_timer()
        self._unset_keepalive_if_required()
        self.pipeline.clear()
        self._discarded = self._discarded or 0
        self._linger_timer = self.loop.call_later(self.limits.linger_seconds, self.transport.abort)
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def _discard(self, size: int) -> None:
        self._discarded = (self._discarded or 0) + size
        if self._discarded <= self.limits.linger_bytes:
            return
        if self._linger_timer is not None:
            self.transport.close()
        else:
            self.flow.pause_reading()  # an answer is still being made


def protocol_class(limits: ProtocolLimits, reject: Rejecter) -> type[GuardedProtocol]:
    """The protocol with its limits, for uvicorn, which makes an instance for each connection."""
    return type("Protocol", (GuardedProtocol,), {"limits": limits, "reject": staticmethod(reject)})
