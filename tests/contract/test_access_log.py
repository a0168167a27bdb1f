"""Every request leaves one line, which says what happened, and nothing that it should not."""

import asyncio
import io
import json
import logging
import random
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, redirect_stdout
from dataclasses import dataclass
from typing import Any

import pytest

from app.application import create_app
from app.config.conf import Settings
from app.logs.fields import FIELDS
from tests.conftest import Service, until
from tests.contract.poison import Answer, exchange, request
from tests.serving import serving

_SECRETS = ["hunter2secret", "0penSesameToken", "c4rd-4111111111111111"]
_TRACE, _SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
_GOOD_IDS = ["a", "x" * 128, "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", "5f0c7d0e-9a1b", "%0a%1b[31m", '","level":"error']
_BAD_IDS = [b"", b" ", b"a b", b"x" * 129, b"x" * 5000, b"\xff", "é".encode(), b"a\tb", b"hunter2secret " * 20]
_BAD_TRACES = [
    *(b"", b"00", b"00-" + b"0" * 32 + b"-b7ad6b7169203331-01", f"00-{_TRACE}-{'0' * 16}-01".encode()),
    *(f"00-{_TRACE.upper()}-{_SPAN}-01".encode(), f"ff-{_TRACE}-{_SPAN}-01".encode(), f"00-{_TRACE}-{_SPAN}".encode()),
    *(f"00-{_TRACE}-{_SPAN}-01-more".encode(), f"00-{_TRACE}x-{_SPAN}-01".encode(), b"hunter2secret", b"\xff" * 55),
]  # fmt: skip


@dataclass
class Watched(Service):
    """A service of the test's own, and the stream that its log goes to."""

    stream: io.StringIO

    def lines(self) -> list[dict[str, Any]]:
        """Every line so far. Each is one JSON object in printable ASCII."""
        text = self.stream.getvalue()
        assert text == "" or text.endswith("\n")
        lines = text.split("\n")[:-1]
        assert all(line.isascii() and line.isprintable() for line in lines)
        parsed: list[dict[str, Any]] = [json.loads(line) for line in lines]
        for line in parsed:
            assert list(line) == [name for name in FIELDS if name in line]
        return parsed

    def access_lines(self) -> list[dict[str, Any]]:
        return [line for line in self.lines() if line.get("event") == "http.request"]


@asynccontextmanager
async def watched(settings: Settings, **options: Any) -> AsyncIterator[Watched]:
    """Serve an application whose log goes to a stream; afterwards the log goes where it went before."""
    root, stream = logging.getLogger(), io.StringIO()
    level, handlers = root.level, root.handlers[:]
    try:
        with redirect_stdout(stream):
            app = create_app(settings)
        async with serving(app, **options) as url:
            stream.truncate(stream.seek(0))  # what uvicorn says of its start
            yield Watched(app, url, stream)
    finally:
        root.setLevel(level)
        root.handlers[:] = handlers


@pytest.fixture(scope="module")
async def observed(settings: Settings) -> AsyncIterator[Watched]:
    async with watched(settings) as made:
        yield made


async def line_of(service: Watched, raw: bytes) -> tuple[Answer, dict[str, Any]]:
    """The answer and its only line."""
    known = len(service.access_lines())
    answer = await exchange(service.port, raw)
    await until(lambda: len(service.access_lines()) > known)
    (line,) = service.access_lines()[known:]
    assert (line["request_id"], line["status"]) == (answer.headers["x-request-id"], answer.status)
    return answer, line


def _random_request(n: int) -> tuple[str, bytes, dict[str, bytes | str]]:
    secret = random.choice(_SECRETS)
    method = random.choice(["GET", "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "PURGE", "FOO", "get"])
    path = random.choice(
        [
            *("/", "/goods", "/goods/", f"/goods/{n}", "/goods/abc"),
            *("/goods/by-sku/A/B", "/categories", "/livez", "/metrics"),
            *("/goods/%0a", "/goods/1%0a%0d", "/%1b[31mred", "/goods/by-sku/%1b[2J", "/%00"),
            *("/%ff", "/%E2%80%AE", "//", "/a b"),
            *('/","level":"error', "/\x1b[31m", "/\xff", "/{goods_id}", "/" + "x" * 3000, "/none", "*"),
        ]
    )  # fmt: skip
    query = random.choice(["", f"?password={secret}", f"?limit={secret}", f"?{secret}=1", f"?after={secret}&q=%0a"])
    traceparents: list[bytes | str] = [f"00-{random.getrandbits(128) | 1:032x}-{_SPAN}-01", *_BAD_TRACES]
    request_ids: list[bytes | str] = [f"mine-{n}", *_BAD_IDS]
    agents: list[bytes | str] = [secret, "curl", "a\x1b[31m", b"\xff\xfe"]
    # A bad key is refused before anything else is looked at, so only some have one.
    keys: list[dict[str, bytes | str]] = [{"Authorization": f"Bearer {secret}"}, {"X-API-Key": secret}, *[{}] * 8]
    headers: dict[str, bytes | str] = {
        **random.choice(keys),
        "Cookie": f"session={secret}",
        "Idempotency-Key": secret,
        "User-Agent": random.choice(agents),
        "traceparent": random.choice(traceparents),
        "X-Request-ID": random.choice(request_ids),
    }
    body = f'{{"name":"{secret}","price":"{secret}","{secret}":1}}'.encode()
    sends = method in ("POST", "PUT", "PATCH") or random.random() < 0.1
    return method, request(method, path + query, body if sends else None, headers), headers


async def test_each_of_500_odd_requests_leaves_exactly_one_line_and_no_secret(observed: Watched) -> None:
    known = len(observed.access_lines())
    gate = asyncio.Semaphore(16)

    async def ask(n: int) -> tuple[str, Answer, dict[str, bytes | str]]:
        method, raw, headers = _random_request(n)
        async with gate:
            return method, await exchange(observed.port, raw), headers

    asked = await asyncio.gather(*(ask(n) for n in range(500)))
    await until(lambda: len(observed.access_lines()) >= known + 500)
    lines = {line["request_id"]: line for line in observed.access_lines()[known:]}
    assert len(lines) == len(observed.access_lines()) - known == 500
    assert {answer.headers["x-request-id"] for _, answer, _ in asked} == set(lines)
    for method, answer, headers in asked:
        line = lines[answer.headers["x-request-id"]]
        assert line["status"] == answer.status
        assert line["duration_ms"] >= 0
        assert line["actor"] == "anonymous"
        assert re.fullmatch("[0-9a-f]{32}", line["trace_id"])
        assert re.fullmatch("[0-9a-f]{16}", line["span_id"])
        assert line["method"] in (method, "")
        assert "?" not in line["path"]
        if line["method"]:  # it was a request, if an odd one
            trace = str(headers["traceparent"])
            assert (line["trace_id"] in trace) == (headers["traceparent"] not in _BAD_TRACES)
            assert (line["request_id"] == headers["X-Request-ID"]) == (headers["X-Request-ID"] not in _BAD_IDS)
    assert not any(secret in observed.stream.getvalue() for secret in _SECRETS)


@pytest.mark.parametrize(
    ("method", "target", "route", "path"),
    [
        ("GET", "/goods?limit=1&secret=1", "/goods", "/goods"),
        ("GET", "/goods/1", "/goods/{goods_id}", "/goods/1"),
        ("HEAD", "/goods/1/?a=b", "/goods/{goods_id}", "/goods/1/"),
        ("DELETE", "/goods/1%0a%1b[31m", "/goods/{goods_id}", "/goods/1%0a%1b[31m"),
        ("GET", "/goods/by-sku/a/b%20c", "/goods/by-sku/{sku:path}", "/goods/by-sku/a/b%20c"),
        ("PUT", "/goods", "/goods", "/goods"),
        ("GET", "/nothing/%1b", "__unmatched__", "/nothing/%1b"),
        ("GET", "/livez%0a", "__unmatched__", "/livez%0a"),
        ("GET", "http://elsewhere/livez?x", "/livez", "/livez"),
    ],
)
async def test_a_line_has_the_route_and_the_path_as_it_was_asked_for(
    observed: Watched, method: str, target: str, route: str, path: str
) -> None:
    _, line = await line_of(observed, request(method, target))
    assert (line["method"], line["route"], line["path"]) == (method, route, path)
    assert line["level"] == "info"


@pytest.mark.parametrize("request_id", _GOOD_IDS)
async def test_a_short_printable_request_id_is_kept(observed: Watched, request_id: str) -> None:
    _, line = await line_of(observed, request("GET", "/livez", headers={"X-Request-ID": request_id}))
    assert line["request_id"] == request_id


@pytest.mark.parametrize("request_id", _BAD_IDS)
async def test_another_request_id_is_replaced(observed: Watched, request_id: bytes) -> None:
    _, line = await line_of(observed, request("GET", "/livez", headers={"X-Request-ID": request_id}))
    assert re.fullmatch("[0-9a-f]{32}", line["request_id"])


@pytest.mark.parametrize("end", ["-01", "-00", "-ff"])
async def test_a_traceparent_is_taken(observed: Watched, end: str) -> None:
    for version in ("00", "01"):
        traceparent = f"{version}-{_TRACE}-{_SPAN}{end}"
        _, line = await line_of(observed, request("GET", "/livez", headers={"traceparent": traceparent}))
        assert line["trace_id"] == _TRACE
        assert line["span_id"] != _SPAN, "a span of our own"
    _, line = await line_of(observed, request("GET", "/livez", headers={"traceparent": f"cc-{_TRACE}-{_SPAN}-01-new"}))
    assert line["trace_id"] == _TRACE, "a later version may say more"


@pytest.mark.parametrize("traceparent", _BAD_TRACES)
async def test_a_malformed_traceparent_is_replaced(observed: Watched, traceparent: bytes) -> None:
    _, line = await line_of(observed, request("GET", "/livez", headers={"traceparent": traceparent}))
    assert re.fullmatch("[0-9a-f]{32}", line["trace_id"])
    assert line["trace_id"] not in (_TRACE, "0" * 32)


@pytest.mark.parametrize("name", ["X-Request-ID", "traceparent", "User-Agent", "Referer"])
async def test_an_escape_code_in_a_header_never_reaches_the_log(observed: Watched, name: str) -> None:
    answer, line = await line_of(observed, request("GET", "/livez", headers={name: b"a\x1b[31mred"}))
    assert answer.status == 400
    assert "red" not in json.dumps(line)


async def test_a_client_that_leaves_in_the_middle_of_its_body_is_no_fault_of_ours(observed: Watched) -> None:
    known = len(observed.access_lines())
    count = observed.parts.exposition.registry.get_sample_value
    labels = {"method": "POST", "route": "/goods", "status": "400"}
    before = count("http_requests_total", labels) or 0
    _, writer = await asyncio.open_connection("127.0.0.1", observed.port)
    writer.write(request("POST", "/goods", b"{", {"Content-Length": "100"}))
    await until(lambda: count("http_requests_in_progress", {"method": "POST"}) == 1)
    writer.transport.abort()
    (line,) = await until(lambda: observed.access_lines()[known:])
    assert (line["level"], line["status"]) == ("info", 400)
    # What a task in the background says meanwhile is another matter.
    assert [each for each in observed.lines() if each.get("request_id") == line["request_id"]] == [line]
    assert count("http_requests_total", labels) == before + 1
