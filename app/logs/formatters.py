"""One record, one line: JSON for machines, a readable form for a terminal."""

import json
import logging
import time
from typing import Final

from app.logs.escaping import escaped
from app.logs.fields import ACCESS_EVENT, Fields, record_fields

_RESET: Final = "\x1b[0m"
_COLOURS: Final = {
    "debug": "\x1b[2m",
    "info": "\x1b[32m",
    "warning": "\x1b[33m",
    "error": "\x1b[31m",
    "critical": "\x1b[1;31m",
}
_ACCESS_DETAILS: Final = ("request_id", "actor")
# Not shown: what is the same on every line, and what only machines follow.
_DETAILS: Final = (
    *("event", "goods_id", "method", "route", "path", "status", "duration_ms"),
    *("request_id", "actor", "logger", "error.type"),
)


class LineFormatter(logging.Formatter):
    """What both forms know: the service that speaks."""

    def __init__(self, *, service: str, version: str) -> None:
        super().__init__()
        self.service = service
        self.version = version

    def fields(self, record: logging.LogRecord) -> Fields:
        """Collect what the record may show."""
        return record_fields(record, service=self.service, version=self.version)


class JsonFormatter(LineFormatter):
    """ASCII only, so no control character, line separator or lone surrogate stands in a line as it is."""

    def format(self, record: logging.LogRecord) -> str:
        """Write the record as one JSON object without a line end."""
        return json.dumps(self.fields(record), separators=(",", ":"), allow_nan=False)


class ConsoleFormatter(LineFormatter):
    """`12:31:05 info  GET /goods/17 200 1.3 ms  request_id=...`, in local time."""

    def __init__(self, *, service: str, version: str, colours: bool) -> None:
        super().__init__(service=service, version=version)
        self._colours = colours

    def format(self, record: logging.LogRecord) -> str:
        """Write the record as one line, and a traceback, if any, indented below it."""
        fields = self.fields(record)
        is_access = fields.get("event") == ACCESS_EVENT
        text = _request(fields) if is_access else escaped(str(fields["msg"]).rstrip())
        names = _ACCESS_DETAILS if is_access else _DETAILS
        details = "".join(f" {name}={_value(fields[name])}" for name in names if name in fields)
        moment = time.strftime("%H:%M:%S", time.localtime(record.created))
        line = f"{moment} {self._level(str(fields['level']))} {text} {details}".rstrip(" ")
        stack = str(fields.get("error.stack", ""))
        return "\n".join((line, *(f"    {escaped(part)}" for part in stack.splitlines())))

    def _level(self, level: str) -> str:
        padded = f"{escaped(level):<5}"
        return f"{_COLOURS.get(level, '')}{padded}{_RESET}" if self._colours else padded


def _request(fields: Fields) -> str:
    duration = fields.get("duration_ms", 0.0)
    milliseconds = f"{duration:.1f}" if isinstance(duration, float) else escaped(str(duration))
    parts = (escaped(str(fields.get(name, "-"))) for name in ("method", "path", "status"))
    return f"{' '.join(parts)} {milliseconds} ms"


def _value(value: str | float) -> str:
    text = escaped(str(value))
    return f'"{text}"' if " " in text else text
