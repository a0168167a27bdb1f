"""GET /goods/export as a stream: whole or broken off, as slow as its reader, and gone with it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from app.application import create_app
from app.config.conf import Settings
from app.errors.domain import DatabaseUnavailable
from app.goods.queries.export import PAGE, Format, GoodsExports, Part
from app.goods.schemas.list import GoodsFilter
from app.server.protocol import GuardedProtocol
from tests.api.support import assert_problem, counted
from tests.api.test_export import fill, goods_of
from tests.conftest import until
from tests.contract.test_access_log import Watched, watched
from tests.serving import serving

_END = b"\r\n0\r\n\r\n"  # of a chunked body that is complete


class Scripted:
    """The real first part `pages` - 1 times, each when `gate` is open, and then the end or an error."""

    def __init__(self, exports: GoodsExports, *, pages: int, error: Exception | None = None) -> None:
        self._read = exports._listed
        self._pages = pages
        self._error = error
        self.gate = asyncio.Event()
        self.gate.set()
        self.reads = 0
        self.on_page: Callable[[], None] = lambda: None

    async def read(self, selection: GoodsFilter, form: Format, _: Any) -> tuple[Part, Any]:
        self.reads += 1
        self.on_page()
        if self.reads > 1:
            await self.gate.wait()
        if self.reads < self._pages:
            part, _ = await self._read(selection, form, None)
            return part, "more"
        if self._error is not None:
            raise self._error
        return Part(b"", 0), None


def _scripted(app: FastAPI, *, pages: int, error: Exception | None = None) -> Scripted:
    exports: Any = app.state.parts.goods_exports
    script = Scripted(exports, pages=pages, error=error)
    exports._listed = script.read
    return script


@pytest.fixture
async def large(settings: Settings, connection: Any) -> Settings:
    """Settings of a database with one page of goods, which takes a megabyte."""
    await connection.execute("TRUNCATE goods, stock_movements, changes RESTART IDENTITY")
    await fill(connection, PAGE, description="x" * 2000)
    return settings


@pytest.fixture
async def watching(large: Settings) -> AsyncIterator[Watched]:
    """A service of the test's own, whose log can be read."""
    async with watched(large) as made:
        yield made


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[GuardedProtocol]:
    """The server's side of each connection that is made."""
    made: list[GuardedProtocol] = []
    connect = GuardedProtocol.connection_made

    def noted(self: GuardedProtocol, transport: asyncio.Transport) -> None:
        made.append(self)
        connect(self, transport)

    monkeypatch.setattr(GuardedProtocol, "connection_made", noted)
    return made


async def _take(answer: httpx2.Response, received: bytearray) -> None:
    async for piece in answer.aiter_bytes():
        received += piece


@pytest.mark.parametrize("form", ["csv", "ndjson"])
@pytest.mark.parametrize("error", [DatabaseUnavailable(), ZeroDivisionError()])
async def test_a_failure_in_the_middle_breaks_the_connection(watching: Watched, form: str, error: Exception) -> None:
    _scripted(watching.app, pages=3, error=error)
    received = bytearray()
    async with httpx2.AsyncClient(base_url=watching.url, verify=False) as client:
        async with client.stream("GET", "/goods/export", params={"format": form}) as answer:
            assert answer.status_code == 200
            with pytest.raises(httpx2.RemoteProtocolError):
                await _take(answer, received)
        assert received.count(b"\n") >= 2 * PAGE
        result = "unavailable" if isinstance(error, DatabaseUnavailable) else "error"
        assert await counted(client, "goods_operations_total", operation="export", result=result) == 1
    (line,) = (line for line in watching.access_lines() if line["path"] == "/goods/export")
    assert (line["route"], line["status"]) == ("/goods/export", 200)
    broken = [entry for entry in watching.lines() if entry.get("event") == "export.incomplete"]
    assert [entry["request_id"] for entry in broken] == (
        [line["request_id"]] if isinstance(error, DatabaseUnavailable) else []
    )


async def test_a_failure_before_the_answer_begins_is_a_problem(watching: Watched) -> None:
    _scripted(watching.app, pages=1, error=DatabaseUnavailable())
    async with httpx2.AsyncClient(base_url=watching.url, verify=False) as client:
        for method in ("GET", "HEAD"):
            answer = await client.request(method, "/goods/export")
            assert answer.status_code == 503
            assert "goods-csv-escape" not in answer.headers
            if method == "GET":
                assert_problem(answer, 503, "database-unavailable")
            assert answer.headers["retry-after"]


async def test_head_reads_one_page(watching: Watched) -> None:
    lists = _scripted(watching.app, pages=10**9)
    async with httpx2.AsyncClient(base_url=watching.url, verify=False) as client:
        for read in (1, 2):  # over the same connection
            assert (await client.head("/goods/export")).status_code == 200
            assert lists.reads == read
        assert await counted(client, "goods_operations_total", operation="export", result="ok") == 2


async def test_an_export_is_one_operation_and_one_request(watching: Watched) -> None:
    _scripted(watching.app, pages=4)
    async with httpx2.AsyncClient(base_url=watching.url, verify=False) as client:
        assert len(goods_of(await client.get("/goods/export?format=ndjson"))) == 3 * PAGE
        route = {"method": "GET", "route": "/goods/export"}
        assert await counted(client, "http_requests_total", **route, status="200") == 1
        assert await counted(client, "goods_operations_total", operation="export", result="ok") == 1
        assert await counted(client, "goods_operations_total", operation="list", result="ok") == 0
    (line,) = (line for line in watching.access_lines() if line["path"] == "/goods/export")
    assert (line["route"], line["status"]) == ("/goods/export", 200)


async def test_a_reader_who_pauses_holds_the_reading_and_no_connection(
    watching: Watched, connections: list[GuardedProtocol]
) -> None:
    """What is not taken is not read: the answer never grows in memory, and the rest comes when it is wanted."""
    lists = _scripted(watching.app, pages=60)
    waiting: list[int] = []  # bytes in the server's own buffer, each time that a page is read
    lists.on_page = lambda: waiting.append(connections[0].transport.get_write_buffer_size())
    async with _asking(watching.port) as (reader, _):
        await until(lambda: connections[0].flow.write_paused and _in_use(watching) == 0)
        assert lists.reads < 60
        received = await _rest(reader)
    assert received.endswith(_END)
    assert lists.reads == 60
    assert max(waiting) < 2 * len(received) / 59  # no more than the page before


async def test_a_client_that_leaves_stops_the_reading(watching: Watched) -> None:
    lists = _scripted(watching.app, pages=10**9)
    async with _asking(watching.port) as (_, writer):
        writer.transport.abort()
    await until(lambda: any(line["path"] == "/goods/export" for line in watching.access_lines()))
    stopped = lists.reads
    async with httpx2.AsyncClient(base_url=watching.url, verify=False) as client:
        assert await counted(client, "goods_operations_total", operation="export", result="ok") == 1
        assert await counted(client, "http_requests_in_progress", method="GET") == 1  # the one that asks
    assert lists.reads == stopped
    assert [line for line in watching.lines() if line["level"] == "error"] == []


async def test_a_shutdown_does_not_wait_for_ever(large: Settings) -> None:
    """An export that nobody takes is cut off when the time for requests under way is over."""
    app = create_app(large)
    _scripted(app, pages=10**9)
    async with AsyncExitStack() as stack:
        async with serving(app, shutdown_timeout=1) as url:
            reader, _ = await stack.enter_async_context(_asking(int(url.rpartition(":")[2])))
        assert not (await _rest(reader)).endswith(_END)


async def test_the_deadline_of_a_body_is_none_of_the_answers(large: Settings) -> None:
    """A GET may come with a body; nothing that follows it can be late."""
    async with watched(large.model_copy(update={"body_timeout": 0.05})) as service:
        lists = _scripted(service.app, pages=3)
        lists.gate.clear()
        async with _asking(service.port, b"Content-Length: 2\r\n", b"{}") as (reader, _):
            begun = time.monotonic()
            await until(lambda: time.monotonic() > begun + 2 * 0.05)
            lists.gate.set()
            assert (await _rest(reader)).endswith(_END)


@asynccontextmanager
async def _asking(port: int, headers: bytes = b"", body: bytes = b"") -> AsyncIterator[Any]:
    """A connection that has asked for an export and got the answer's head, as a reader and a writer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(b"GET /goods/export HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + headers + b"\r\n" + body)
        await reader.readuntil(b"\r\n\r\n")
        yield reader, writer
    finally:
        writer.close()


async def _rest(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(30):
        return await reader.read()


def _in_use(service: Watched) -> int:
    return sum(pool.open_connections - pool.idle_connections for pool in service.parts.database.pools)
