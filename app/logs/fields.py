"""What a log line may hold: these fields, in this order, and nothing else by accident."""

import logging
import math
import time
from collections.abc import Mapping
from typing import Final, TypeAlias

from app.logs.context import current_request
from app.logs.redaction import redact
from app.logs.tracebacks import error_stack, error_type, headline

CONTEXT_FIELDS: Final = ("request_id", "trace_id", "span_id", "actor")
EXTRA_FIELDS: Final = ("method", "route", "path", "status", "duration_ms", "event", "goods_id")
FIELDS: Final = (
    *("ts", "level", "msg", "logger", "service", "version"),
    *("request_id", "trace_id", "span_id"),
    *("method", "route", "path", "status", "duration_ms", "actor", "event", "goods_id"),
    *("error.type", "error.stack"),
)
ACCESS_LOGGER: Final = "goods.access"
ACCESS_MESSAGE: Final = "request"
ACCESS_EVENT: Final = "http.request"

Plain: TypeAlias = str | int | float
Fields: TypeAlias = dict[str, Plain]

_INT64 = 2**63


class UtcClock:
    """RFC 3339 in UTC with microseconds; the text of the current second is kept."""

    __slots__ = ("_second",)

    def __init__(self) -> None:
        self._second = (-1, "")

    def text(self, seconds: float) -> str:
        """Format `seconds` since the epoch."""
        whole, prefix = self._second  # one tuple, so that two threads never mix a second and its text
        if not whole <= seconds < whole + 1:
            whole = int(seconds)
            prefix = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))
            self._second = (whole, prefix)
        return "%s.%06dZ" % (prefix, (seconds - whole) * 1e6)  # noqa: UP031 - an f-string takes twice the time


_CLOCK = UtcClock()


def record_fields(record: logging.LogRecord, *, service: str, version: str) -> Fields:
    """Collect the fields of a record: the known extras, the current request, the exception."""
    found: dict[str, object] = {
        "ts": _CLOCK.text(record.created),
        "level": record.levelname.lower(),
        "msg": redact(_message(record)),
        "logger": record.name,
        "service": service,
        "version": version,
    }
    found.update((name, record.__dict__.get(name)) for name in EXTRA_FIELDS)
    context = current_request.get()
    if context is not None:
        found.update((name, getattr(context, name)) for name in CONTEXT_FIELDS)
    error = record.exc_info[1] if record.exc_info else None
    if error is not None:
        found["error.type"] = error_type(error)
        found["error.stack"] = redact(error_stack(error))
    return {name: _plain(found[name]) for name in FIELDS if found.get(name) is not None}


def _message(record: logging.LogRecord) -> str:
    template = _text(record.msg)
    arguments = record.args
    try:
        if arguments and isinstance(arguments, Mapping):
            template %= {name: _without_data(value) for name, value in arguments.items()}
        elif arguments:
            template %= tuple(_without_data(value) for value in arguments)
    except Exception:  # noqa: BLE001 - an argument's own code may raise anything, and the line must go out
        template += " (its arguments cannot be shown)"
    # After its first line asyncio lists the reprs of futures, and with them the messages of exceptions.
    return template.partition("\n")[0] if record.name == "asyncio" else template


def _without_data(value: object) -> object:
    return headline(value) if isinstance(value, BaseException) else value


def _text(value: object) -> str:
    try:
        return str(_without_data(value))
    except Exception:  # noqa: BLE001 - the same
        return f"<{type(value).__name__} that cannot be shown>"


def _plain(value: object) -> Plain:
    """Keep what JSON and the readers of the lines (64-bit integers, no NaN) can hold; the rest as text."""
    if isinstance(value, str):
        return value
    if isinstance(value, int) and -_INT64 <= value < _INT64:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    return _text(value)
