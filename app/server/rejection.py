"""What is said of a request that the application never sees."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Literal

import httptools


@dataclass(frozen=True)
class Rejection:
    """A request that the application never sees. `name` is that of the problem.

    `request_id` is the X-Request-ID as the client sent it, if it was read, and `client` the peer's address.
    """

    status: int
    name: Literal["malformed-request", "request-timeout", "head-too-large"]
    detail: str
    request_id: bytes | None = None
    client: str | None = None


@dataclass(frozen=True)
class Answer:
    """What to tell the client of a rejection: the body is a problem, the id goes into X-Request-ID."""

    request_id: str
    body: bytes


# Called once for each rejection, when it is answered: the place to log and count it, too.
Rejecter = Callable[[Rejection], Answer]


class HeadRefused(Exception):
    """Raised inside a callback of the parser, which wraps it in an error of its own."""


def malformed(detail: str) -> Rejection:
    """Make the rejection of a request that breaks the rules of HTTP."""
    return Rejection(400, "malformed-request", detail)


def late(seconds: float) -> Rejection:
    """Make the rejection of a head that took more than `seconds`."""
    return Rejection(408, "request-timeout", f"The request's head did not arrive within {seconds:g} seconds.")


def too_large(max_head_bytes: int) -> Rejection:
    """Make the rejection of a request line and headers of more than `max_head_bytes`."""
    detail = f"The request line and the headers take more than {max_head_bytes:,} bytes."
    return Rejection(431, "head-too-large", detail)


def rejection_of(error: Exception) -> Rejection:
    """Make the rejection that the parser's error asks for. It never repeats what the client sent."""
    if not isinstance(error, httptools.HttpParserCallbackError):
        return malformed(f"The HTTP parser cannot read the request: {error}.")
    cause = error.__context__
    if isinstance(cause, HeadRefused):
        rejection: Rejection = cause.args[0]
        return rejection
    return malformed("The request target is not a valid URL.")


def response(rejection: Rejection, answer: Answer, default_headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Build the whole HTTP response to a rejection, after which the connection ends."""
    fields = [
        *default_headers,
        (b"content-type", b"application/problem+json"),
        (b"content-length", b"%d" % len(answer.body)),
        (b"x-request-id", answer.request_id.encode("latin-1")),
        (b"connection", b"close"),
    ]
    head = b"HTTP/1.1 %d %s\r\n" % (rejection.status, HTTPStatus(rejection.status).phrase.encode())
    return head + b"".join(b"%s: %s\r\n" % field for field in fields) + b"\r\n" + answer.body
