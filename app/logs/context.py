"""Who asked: what every log line of one request has in common."""

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

ANONYMOUS: Final = "anonymous"


@dataclass(slots=True)
class RequestContext:
    """The identifiers of one request; `actor` is known only after its key has been checked."""

    request_id: str
    trace_id: str
    span_id: str
    actor: str = ANONYMOUS


current_request: ContextVar[RequestContext | None] = ContextVar("current_request", default=None)
