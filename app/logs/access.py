"""The line that every request leaves: the one part of logging that is on the hot path."""

import logging
import sys
import time
from collections.abc import Sequence
from json.encoder import encode_basestring_ascii as quoted
from typing import TypeAlias

from app.logs.context import RequestContext, current_request
from app.logs.fields import ACCESS_EVENT, ACCESS_LOGGER, ACCESS_MESSAGE, UtcClock
from app.logs.formatters import JsonFormatter
from app.logs.pipeline import LineHandler, pipeline_handler

_SERVER_ERROR = 500
# Bytes that Linux writes into a pipe without those of another worker in between (pipe(7), PIPE_BUF).
_WHOLE = 4096

# When it ended, whose it was, its method, route, path and status, and how many seconds it took.
Ended: TypeAlias = tuple[float, RequestContext, str, str, str, int, float]


class AccessLog:
    """Writes what the JSON formatter would write for the same request, without making a record.

    Build it after `configure_logging`, whose stream and form it shares. A line takes 3 microseconds on one core of a
    small server, and a system call where it is written alone; the formatter takes about 20.
    """

    def __init__(self, handler: LineHandler | None = None, *, several_workers: bool = False) -> None:
        self._handler = handler or pipeline_handler()
        self._most = _WHOLE if several_workers else sys.maxsize
        self._logger = logging.getLogger(ACCESS_LOGGER)
        self._clock = UtcClock()
        self._is_json = isinstance(self._handler.lines, JsonFormatter)
        self._known: dict[tuple[str, str, int], tuple[str, str, str]] = {}

    def write(
        self,
        *,
        context: RequestContext,
        method: str,
        route: str,
        path: str,
        status: int,
        duration_seconds: float,
        client: str | None = None,  # noqa: ARG002 - an address is personal: taken, so that no caller adds it
    ) -> None:
        """Write the line of one request."""
        self.write_all([(time.time(), context, method, route, path, status, duration_seconds)])

    def write_all(self, requests: Sequence[Ended]) -> None:
        """Write their lines together, at level `error` for 5xx and `info` otherwise, if LOG_LEVEL lets that through."""
        if not self._is_json:
            for request in requests:
                self._write_record(request)
            return
        shown = {level: self._logger.isEnabledFor(level) for level in (logging.INFO, logging.ERROR)}
        lines: list[str] = []
        size = 0
        for request in requests:
            if not shown[_level(request[5])]:
                continue
            line = self._line(request)
            size += len(line)
            if size > self._most and lines:
                self._handler.write_line("".join(lines))
                lines, size = [], len(line)
            lines.append(line)
        if lines:
            self._handler.write_line("".join(lines))

    def _line(self, request: Ended) -> str:
        moment, context, method, route, path, status, seconds = request
        known = self._known.get((method, route, status))
        if known is None:
            known = self._known[method, route, status] = self._constant_parts(method, route, status)
        before_ids, before_path, before_duration = known
        return (
            f'{{"ts":"{self._clock.text(moment)}"{before_ids}{quoted(context.request_id)},'
            f'"trace_id":{quoted(context.trace_id)},"span_id":{quoted(context.span_id)}{before_path}{quoted(path)}'
            f'{before_duration}{seconds * 1000:.3f},"actor":{quoted(context.actor)},"event":"{ACCESS_EVENT}"}}\n'
        )

    def _constant_parts(self, method: str, route: str, status: int) -> tuple[str, str, str]:
        """What is the same in all lines of such requests; they are few, for routes are templates."""
        level = logging.getLevelName(_level(status)).lower()
        lines = self._handler.lines
        before_ids = f',"level":"{level}","msg":"{ACCESS_MESSAGE}","logger":"{ACCESS_LOGGER}"'
        before_ids += f',"service":{quoted(lines.service)},"version":{quoted(lines.version)},"request_id":'
        before_path = f',"method":{quoted(method)},"route":{quoted(route)},"path":'
        return before_ids, before_path, f',"status":{status:d},"duration_ms":'

    def _write_record(self, request: Ended) -> None:
        moment, context, method, route, path, status, seconds = request
        level = _level(status)
        if not self._logger.isEnabledFor(level):
            return
        record = logging.makeLogRecord(
            {
                "name": ACCESS_LOGGER,
                "levelno": level,
                "levelname": logging.getLevelName(level),
                "msg": ACCESS_MESSAGE,
                "created": moment,
                "event": ACCESS_EVENT,
                "method": method,
                "route": route,
                "path": path,
                "status": status,
                "duration_ms": seconds * 1000,
            }
        )
        token = current_request.set(context)
        try:
            self._handler.handle(record)
        finally:
            current_request.reset(token)


def _level(status: int) -> int:
    return logging.INFO if status < _SERVER_ERROR else logging.ERROR
