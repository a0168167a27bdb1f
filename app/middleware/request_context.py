"""Who is asking: request and trace ids, for every log line and answer of one request."""

import random
import re
from collections.abc import Callable

from starlette.types import Scope

from app.logs.context import RequestContext, current_request
from app.middleware.stack import Step

_REQUEST_ID = re.compile(rb"[\x21-\x7e]{1,128}")
# https://www.w3.org/TR/trace-context/#traceparent-header. Only later versions than 00 may have more at the end.
_TRACEPARENT = re.compile(rb"(?!ff|00.{54})[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?")


def new_context(request_id: bytes | None = None, traceparent: bytes | None = None) -> RequestContext:
    """The context of one request: what the caller sent where it is acceptable, new ids otherwise."""
    # Ids need to be unique, not secret: the random module is several times cheaper than the kernel, and asked once.
    made = random.randbytes(40).hex()  # noqa: S311 - see above
    taken = request_id is not None and _REQUEST_ID.fullmatch(request_id)
    trace = _TRACEPARENT.fullmatch(traceparent) if traceparent else None
    return RequestContext(
        request_id=request_id.decode() if taken and request_id else made[:32],
        trace_id=trace[1].decode() if trace else made[32:64],
        span_id=made[64:],
    )


class RequestContextMiddleware(Step):
    """Sets the context for the logs and puts the request's id on the answer.

    While the service drains, answers also ask the client to open its next connection elsewhere.
    """

    def __init__(self, *, draining: Callable[[], bool]) -> None:
        self._draining = draining

    def begin(self, scope: Scope) -> None:
        request_id = traceparent = None
        for name, value in scope["headers"]:
            if name == b"x-request-id":
                request_id = value
            elif name == b"traceparent":
                traceparent = value
        context = new_context(request_id, traceparent)
        current_request.set(context)
        state = scope["state"]
        state["context"] = context
        state["request_id"] = context.request_id

    def answer(self, scope: Scope, _: int, headers: list[tuple[bytes, bytes]]) -> None:
        headers.append((b"x-request-id", scope["state"]["request_id"].encode()))
        if self._draining():
            headers.append((b"connection", b"close"))
