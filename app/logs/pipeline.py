"""The one way out for log lines: ours, the server's, the libraries' and Python's warnings."""

import logging
import os
import sys
import threading
from typing import Final, Literal, TextIO

from app.logs.fields import ACCESS_LOGGER
from app.logs.formatters import ConsoleFormatter, JsonFormatter, LineFormatter

LEVELS: Final = ("debug", "info", "warning", "error", "critical")
Form = Literal["auto", "json", "console"]

_SERVER_LOGGERS: Final = ("uvicorn", "uvicorn.error", "uvicorn.asgi")
_LIBRARY_LOGGERS: Final = ("alembic", "asyncio", "py.warnings", "sqlalchemy")


class LineHandler(logging.Handler):
    """Writes whole lines and never raises: a reader that went away must not break a request."""

    def __init__(self, stream: TextIO, formatter: LineFormatter) -> None:
        super().__init__()
        self.stream = stream
        self.lines = formatter
        self.setFormatter(formatter)
        # The lock that logging made, which it also renews after a fork; acquire() and release() take longer.
        self._writing = self.lock or threading.RLock()

    def emit(self, record: logging.LogRecord) -> None:
        """Format and write the record; one that cannot be formatted leaves a line that says so."""
        try:
            line = self.format(record)
        except Exception as error:  # noqa: BLE001 - a log call must never raise
            line = self.format(_unformattable(record, error))
        self.write_line(line + "\n")

    def write_line(self, line: str) -> None:
        """Write one line, or several, their ends included, and hand them to the system at once: a kill loses none."""
        try:
            with self._writing:
                self.stream.write(line)
                self.stream.flush()
        except UnicodeEncodeError:
            self._write_escaped(line)
        except (OSError, ValueError, RuntimeError):
            # The pipe is broken, the stream is closed, or a signal handler logs in the middle of a write.
            return

    def _write_escaped(self, line: str) -> None:
        # A console whose encoding lacks a letter; JSON lines are ASCII and never come here.
        encoding = self.stream.encoding or "ascii"
        try:
            with self._writing:
                self.stream.write(line.encode(encoding, "backslashreplace").decode(encoding))
                self.stream.flush()
        except (OSError, ValueError, RuntimeError):
            return


def configure_logging(
    *,
    level: str,
    form: Form,
    service: str = "goods-api",
    version: str,
    stream: TextIO | None = None,
) -> None:
    """Send every log line to `stream` (standard output), at `level` (debug to critical) and above.

    `auto` is the console form on a terminal and JSON elsewhere. It can be called again: the last call holds.
    Raises ValueError for a level that does not exist.
    """
    if level.lower() not in LEVELS:
        raise ValueError(f"log level: one of {', '.join(LEVELS)}")
    target = sys.stdout if stream is None else stream
    root = logging.getLogger()
    for handler in root.handlers[:]:
        root.removeHandler(handler)
    root.addHandler(LineHandler(target, _formatter(form, target, service=service, version=version)))
    root.setLevel(level.upper())
    _adopt_loggers()
    logging.captureWarnings(True)


def pipeline_handler() -> LineHandler:
    """Return the handler that `configure_logging` installed; raises RuntimeError before that."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, LineHandler):
            return handler
    raise RuntimeError("configure_logging() comes first")


def _adopt_loggers() -> None:
    for name in (*_SERVER_LOGGERS, *_LIBRARY_LOGGERS, ACCESS_LOGGER):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.disabled = False
    for name in _SERVER_LOGGERS:
        logging.getLogger(name).setLevel(logging.NOTSET)
    # A request has exactly one access line, ours. Without a handler uvicorn does not even make its own.
    uvicorn_access = logging.getLogger("uvicorn.access")
    uvicorn_access.handlers.clear()
    uvicorn_access.propagate = False


def _formatter(form: Form, stream: TextIO, *, service: str, version: str) -> LineFormatter:
    terminal = _is_terminal(stream)
    if form == "json" or (form == "auto" and not terminal):
        return JsonFormatter(service=service, version=version)
    # https://no-color.org: any value but an empty one.
    colours = terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return ConsoleFormatter(service=service, version=version, colours=colours)


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except ValueError:  # it is closed
        return False


def _unformattable(record: logging.LogRecord, error: Exception) -> logging.LogRecord:
    return logging.makeLogRecord(
        {
            "name": str(record.name),
            "levelno": logging.ERROR,
            "levelname": "ERROR",
            "msg": "a log record cannot be formatted: %s",
            "args": (type(error).__name__,),
        }
    )
