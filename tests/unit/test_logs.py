"""The log pipeline: one line a record, whatever the record holds."""

import io
import json
import logging
import os
import re
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.logs.access import AccessLog, Ended
from app.logs.context import RequestContext, current_request
from app.logs.fields import ACCESS_EVENT, ACCESS_LOGGER, ACCESS_MESSAGE, EXTRA_FIELDS, FIELDS
from app.logs.pipeline import Form, LineHandler, configure_logging, pipeline_handler
from app.logs.redaction import redact

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "logs.md"
ANY_TEXT = st.text(st.characters())  # lone surrogates and control characters included
CONTEXT = RequestContext("req-1", "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "warehouse-1")
REQUEST = {"context": CONTEXT, "method": "GET", "route": "/goods/{id}", "path": "/goods/17", "status": 200}
LOG = logging.getLogger("app.goods")
HARMLESS = "2 keys, password unknown: http://127.0.0.1:8000/goods/a@b"
SECRETS = r"""
password=hunter2 host=db
settings {"db_password": "a \" hunter2"}
headers (b'authorization', b'Basic hunter2')
Authorization: Bearer hunter2
sent bearer hunter2
X-API-Key: hunter2
postgresql+asyncpg://goods:a/hunter2@db/goods
https://me:hunter2@example.org/
"""


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    root.handlers.clear()
    logging.captureWarnings(False)
    yield
    root.setLevel(level)
    root.handlers[:] = handlers
    logging.captureWarnings(False)


@contextmanager
def during(context: RequestContext) -> Iterator[None]:
    token = current_request.set(context)
    yield
    current_request.reset(token)


def piped(form: Form = "json", level: str = "debug", stream: io.StringIO | None = None) -> io.StringIO:
    target = io.StringIO() if stream is None else stream
    configure_logging(level=level, form=form, version="1.2.3", stream=target)
    return target


def only_line(stream: io.StringIO) -> dict[str, Any]:
    text = stream.getvalue()
    assert text.endswith("\n")
    assert text.isascii()
    assert text[:-1].isprintable()  # so it holds no other line end
    fields = json.loads(text)
    assert list(fields) == [name for name in FIELDS if name in fields]
    return dict(fields)


def as_json_reads(text: str) -> str:
    # JSON cannot tell two surrogates in a row from the character that they make.
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def access(log: AccessLog, **given: Any) -> None:
    log.write(**{**REQUEST, "duration_seconds": 0.0013124, **given})


def fail(error: BaseException, msg: str = "failed") -> None:
    try:
        raise error
    except type(error):
        LOG.exception(msg)


def test_a_record_has_the_documented_fields_and_no_other() -> None:
    stream = piped()
    with during(CONTEXT):
        LOG.info("good %s", "created", extra={"event": "goods.created", "goods_id": 17, "secret": "hunter2"})
    fields = only_line(stream)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", fields.pop("ts"))
    ours = {"level": "info", "msg": "good created", "logger": "app.goods"} | asdict(CONTEXT)
    ours |= {"service": "goods-api", "version": "1.2.3"}
    assert fields == ours | {"event": "goods.created", "goods_id": 17}


def test_the_reference_names_exactly_the_fields_of_the_code() -> None:
    text = REFERENCE.read_text()
    fields = text.partition("## Events")[0]
    assert tuple(re.findall(r"^\| `([a-z_.]+)` \|", fields, re.MULTILINE)) == FIELDS
    examples = [json.loads(line) for line in re.findall(r"^\{.*\}$", text, re.MULTILINE)]
    assert set().union(*examples) == set(FIELDS)
    assert all(list(example) == [name for name in FIELDS if name in example] for example in examples)


@given(ANY_TEXT, ANY_TEXT, ANY_TEXT, ANY_TEXT)
def test_any_text_makes_one_json_line_that_gives_it_back(msg: str, event: str, name: str, path: str) -> None:
    context = RequestContext(name, name, name, name)
    stream = piped()
    access(AccessLog(), context=context, path=path)
    fields = only_line(stream)
    assert {fields[key] for key in asdict(context)} == {as_json_reads(name)}
    assert fields["path"] == as_json_reads(path)
    stream = piped()
    with during(context):
        LOG.info(msg, extra={"event": event})
    fields = only_line(stream)
    assert fields["msg"] == redact(as_json_reads(msg))
    assert fields["event"] == as_json_reads(event)


@given(ANY_TEXT, ANY_TEXT)
def test_the_console_never_shows_a_control_character(text: str, name: str) -> None:
    context = RequestContext(name, name, name, name)
    stream = piped("console")
    access(AccessLog(), context=context, path=text)
    with during(context):
        LOG.info(text, extra={"event": text, "goods_id": text})
    fail(ValueError(text), text)
    lines = stream.getvalue().split("\n")
    assert all(line.isprintable() for line in lines)
    assert sum(re.match(r"\d\d:\d\d:\d\d ", line) is not None for line in lines) == 3


@pytest.mark.parametrize("status", [200, 404, 500, 503])
def test_the_access_line_is_what_the_formatter_would_have_written(status: int) -> None:
    stream = piped()
    context = RequestContext('a"\n', "\x1b[31m", "\ud800", "é")
    access(AccessLog(), context=context, path="/", status=status)
    fast = only_line(stream)
    stream = piped()
    level = logging.ERROR if status >= 500 else logging.INFO
    extra = dict(zip(EXTRA_FIELDS, ("GET", "/goods/{id}", "/", status, 1.312, ACCESS_EVENT), strict=False))
    with during(context):
        logging.getLogger(ACCESS_LOGGER).log(level, ACCESS_MESSAGE, extra=extra)
    slow = only_line(stream)
    assert fast | {"ts": ""} == slow | {"ts": ""}


@pytest.mark.parametrize("form", ["json", "console"])
def test_access_lines_obey_the_level(form: Form) -> None:
    stream = piped(form, "warning")
    log = AccessLog()
    access(log)
    assert stream.getvalue() == ""
    access(log, status=500)
    assert "error" in stream.getvalue()


def test_the_console_form_is_readable_and_indents_tracebacks() -> None:
    stream = piped("console")
    access(AccessLog())
    LOG.warning("low stock", extra={"goods_id": 17, "event": "goods low"})
    first, second = stream.getvalue().splitlines()
    assert first[9:] == "info  GET /goods/17 200 1.3 ms  request_id=req-1 actor=warehouse-1"
    assert second[9:] == 'warning low stock  event="goods low" goods_id=17 logger=app.goods'
    stream = piped("console")
    fail(ValueError("no\x1b[2J\nway"))
    first, *below = stream.getvalue().splitlines()
    assert first.endswith("failed  logger=app.goods error.type=ValueError")
    assert below[-1] == r"    ValueError: no\x1b[2J\nway"
    assert all(line.startswith("    ") for line in below)


def test_auto_is_json_unless_the_stream_is_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "")
    monkeypatch.setenv("TERM", "xterm")
    plain, terminal = piped("auto"), io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    LOG.info("hello")
    assert only_line(plain)["msg"] == "hello"
    piped("auto", stream=terminal)
    LOG.info("hello")
    assert "\x1b[32minfo \x1b[0m hello" in terminal.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    piped("auto", stream=terminal)
    LOG.error("bye")
    assert " error bye" in terminal.getvalue()


def test_the_last_configuration_holds() -> None:
    first, second = piped(), piped(level="INFO")
    LOG.info("once")
    LOG.debug("not at this level")
    assert first.getvalue() == ""
    assert only_line(second)["msg"] == "once"
    with pytest.raises(ValueError, match="log level"):
        piped(level="loud")
    logging.getLogger().handlers.clear()
    with pytest.raises(RuntimeError):
        AccessLog()


def test_the_lines_of_server_and_libraries_come_out_of_the_same_pipeline() -> None:
    for name in ("uvicorn", "uvicorn.error", "asyncio"):
        logging.getLogger(name).addHandler(logging.StreamHandler(io.StringIO()))
        logging.getLogger(name).propagate = False
    for name in ("uvicorn.error", "uvicorn.asgi", "asyncio", "some.library"):
        stream = piped()
        logging.getLogger(name).info("Started", extra={"color_message": "\x1b[1mStarted"})
        assert only_line(stream)["logger"] == name
    # What uvicorn asks before it writes an access line: ours is the only one.
    assert not logging.getLogger("uvicorn.access").hasHandlers()


def test_warnings_are_log_lines() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        stream = piped()
        warnings.warn("old\nhabit", UserWarning, stacklevel=1)
    fields = only_line(stream)
    assert (fields["logger"], fields["level"]) == ("py.warnings", "warning")
    assert "UserWarning: old\nhabit" in fields["msg"]


@pytest.mark.parametrize("text", SECRETS.strip().splitlines())
def test_planted_secrets_do_not_show(text: str) -> None:
    stream = piped()
    LOG.error("%s", text)
    assert "[redacted]" in only_line(stream)["msg"]
    fail(ValueError(text))
    assert "[redacted]" in json.loads(stream.getvalue().splitlines()[1])["error.stack"]
    assert "hunter2" not in stream.getvalue()
    assert redact(HARMLESS) == HARMLESS


def test_messages_of_other_peoples_exceptions_are_not_written() -> None:
    driver = type("DriverError", (Exception,), {"__module__": "asyncpg"})("Key (sku)=(SECRET-1) exists")
    driver.add_note("SECRET-1")
    ours = type("SkuTaken", (Exception,), {"__module__": "app.errors.domain"})("this SKU is taken")
    ours.__cause__, driver.__context__ = driver, ours  # a circle, which must end
    stream = piped()
    fail(ExceptionGroup("two failed", [ours, KeyError("name")]))
    stack = only_line(stream)["error.stack"]
    assert all(shown in stack for shown in ("two failed", "domain.SkuTaken: this SKU", "'name'", "DriverError"))
    assert "SECRET-1" not in stack
    stream = piped()
    LOG.error("again: %s", driver)
    LOG.error("again: %(error)s", {"error": driver})
    LOG.error(driver)
    logging.getLogger("asyncio").error("never retrieved\nfuture: %s", "SECRET-1")
    assert stream.getvalue().count("asyncpg.DriverError") == 3
    assert "SECRET-1" not in stream.getvalue()


class Broken:
    def __str__(self) -> str:
        raise RuntimeError


def test_a_value_that_cannot_be_encoded_does_not_raise() -> None:
    for value in (Broken(), float("nan"), 10**5000, b"\xff", [1], {"a": Broken}):
        stream = piped()
        LOG.info("odd", extra={"goods_id": value})
        assert isinstance(only_line(stream)["goods_id"], str)
    stream = piped()
    LOG.info("odd %d", Broken())
    assert only_line(stream)["msg"] == "odd %d (its arguments cannot be shown)"
    stream = piped()
    pipeline_handler().handle(logging.makeLogRecord({"name": "x", "msg": "", "created": "never"}))
    assert only_line(stream)["msg"] == "a log record cannot be formatted: TypeError"


def test_a_closed_stream_or_a_broken_pipe_breaks_nothing() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    closed = piped()
    closed.close()
    configure_logging(level="info", form="auto", version="1", stream=closed)
    access(AccessLog())
    LOG.info("lost")
    with os.fdopen(writer, "wb", buffering=0) as broken:
        stream = io.TextIOWrapper(broken, write_through=True)
        access(AccessLog(LineHandler(stream, pipeline_handler().lines)))


def test_a_console_without_the_letter_shows_its_escape() -> None:
    raw = io.BytesIO()
    configure_logging(level="info", form="console", version="1", stream=io.TextIOWrapper(raw, "ascii"))
    LOG.info("Löwe")
    assert rb"L\xf6we" in raw.getvalue()


class Pipe(io.StringIO):
    """A stream that remembers each write."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[str] = []

    def write(self, text: str) -> int:
        self.writes.append(text)
        return super().write(text)


def ended(path: str, status: int = 200) -> Ended:
    return (time.time(), CONTEXT, "GET", "/goods/{id}", path, status, 0.001)


def test_the_access_lines_of_several_requests_are_written_together_in_their_order() -> None:
    pipe = Pipe()
    piped(stream=pipe)
    AccessLog().write_all([ended(f"/{n}", 500 if n % 2 else 200) for n in range(30)])
    (written,) = pipe.writes
    assert [json.loads(line)["path"] for line in written.splitlines()] == [f"/{n}" for n in range(30)]


def test_several_workers_write_no_more_at_once_than_a_pipe_takes_whole() -> None:
    pipe = Pipe()
    piped(stream=pipe)
    paths = [f"/{n}" for n in range(30)]
    paths.insert(7, "/" + "x" * 10_000)  # more than a pipe takes whole: it has a write of its own
    AccessLog(several_workers=True).write_all([ended(path) for path in paths])
    assert all(text.endswith("\n") for text in pipe.writes)
    assert [json.loads(line)["path"] for line in "".join(pipe.writes).splitlines()] == paths
    assert [len(text) > 4096 for text in pipe.writes].count(True) == 1
    assert len(pipe.writes) < 10


@pytest.mark.parametrize("form", ["json", "console"])
def test_the_level_is_asked_for_each_of_several_lines(form: Form) -> None:
    stream = piped(form, level="error")
    AccessLog().write_all([ended("/"), ended("/", 503), ended("/", 404)])
    (line,) = stream.getvalue().splitlines()
    assert "503" in line
