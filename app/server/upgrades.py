"""Bodies of requests that offer another protocol.

The parser stops at the end of such a head, although the offer may be passed over and a body may follow: some clients
offer HTTP/2 with every first request of a connection, and lose the body of a POST to a server that stops there.
"""

from collections.abc import Iterable

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_FRAMING = (b"content-length", b"transfer-encoding")


class _Callbacks:
    """A parser's callbacks, which reach the protocol only when there is one: the parser itself keeps what it got."""

    protocol: HttpToolsProtocol | None = None

    def on_message_begin(self) -> None:
        if self.protocol:
            self.protocol.on_message_begin()

    def on_url(self, url: bytes) -> None:
        if self.protocol:
            self.protocol.on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.protocol:
            self.protocol.on_header(name, value)

    def on_headers_complete(self) -> None:
        if self.protocol:
            self.protocol.on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if self.protocol:
            self.protocol.on_body(body)

    def on_message_complete(self) -> None:
        if self.protocol:
            self.protocol.on_message_complete()


def parser_within_body(
    protocol: HttpToolsProtocol, headers: Iterable[tuple[bytes, bytes]]
) -> httptools.HttpRequestParser:
    """A parser that has read a head with these headers, the offer apart, and goes on with the body."""
    callbacks = _Callbacks()
    parser = httptools.HttpRequestParser(callbacks)
    parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
    framing = b"".join(b"%s: %s\r\n" % (name, value) for name, value in headers if name in _FRAMING)
    parser.feed_data(b"POST / HTTP/1.1\r\n%s\r\n" % framing)
    callbacks.protocol = protocol
    return parser
