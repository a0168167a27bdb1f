"""What the service does while its database is away, frozen, empty or out of connections, and afterwards."""

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest

from app.application import create_app
from app.config.conf import Settings
from app.database.db import DatabaseAddress, Pool
from app.database.embedded import EmbeddedPostgres
from app.database.migrate import migrate
from tests.conftest import Service, settings_for, until
from tests.serving import serving

_PROMISED = 2.0  # seconds until a request is answered without a database
_GOOD = {"name": "a", "price": "1.00", "stock": 1}
# method, path, body
_NEED_DATABASE: list[tuple[str, str, Any]] = [
    ("GET", "/goods/1", None),
    ("GET", "/goods/by-sku/A", None),
    ("GET", "/goods", None),
    ("GET", "/goods?count=exact&sort=-price", None),
    ("GET", "/categories", None),
    ("POST", "/goods", _GOOD),
    ("PUT", "/goods/1", _GOOD),
    ("PATCH", "/goods/1", {"stock": 2}),
    ("DELETE", "/goods/1", None),
]
# method, path, body, status
_NEED_NONE: list[tuple[str, str, Any, int]] = [
    ("GET", "/livez", None, 200),
    ("GET", "/metrics", None, 200),
    ("GET", "/nothing", None, 404),
    ("GET", "/goods/0", None, 404),
    ("PUT", "/goods", _GOOD, 405),
    ("GET", "/goods/abc", None, 422),
    ("GET", "/goods?limit=0", None, 422),
    ("POST", "/goods", {}, 422),
]


class Database:
    """A server of this module's own, to be stopped and frozen."""

    def __init__(self, home: Path) -> None:
        self._server = EmbeddedPostgres(home, announce=lambda _: None)
        self.address = self._server.start()
        self._frozen: list[int] = []

    def settings(self, **changes: Any) -> Settings:
        defaults = {"CONNECT_TIMEOUT": 0.5, "STATEMENT_TIMEOUT": 3, "LOCK_TIMEOUT": 1.5, "DB_POOL_SIZE": 4}
        return settings_for(self.address, **{**defaults, **changes})

    async def start(self) -> None:
        await asyncio.to_thread(self._server.start)

    async def stop(self) -> None:
        await asyncio.to_thread(self._server.stop)

    def discard(self) -> None:
        self.thaw()
        self._server.discard()

    @asynccontextmanager
    async def session(self, **changes: Any) -> AsyncIterator[Any]:
        """A connection of the test's own."""
        opened = await asyncpg.connect(**DatabaseAddress.of(self.settings(**changes)).connect_arguments())
        await opened.execute("SET statement_timeout = 0; SET lock_timeout = 0")
        try:
            yield opened
        finally:
            await opened.close()

    async def freeze(self) -> None:
        """Nothing of the server runs any more, yet its sockets are open: a machine that hangs."""
        async with self.session() as opened:
            folder = await opened.fetchval("SHOW data_directory")
            pids = [row[0] for row in await opened.fetch("SELECT pid FROM pg_stat_activity")]
        postmaster = int((Path(folder) / "postmaster.pid").read_text().split()[0])
        self._frozen = [postmaster, *pids]
        for pid in list(self._frozen):
            try:
                os.kill(pid, signal.SIGSTOP)
            except ProcessLookupError:
                self._frozen.remove(pid)

    def thaw(self) -> None:
        for pid in self._frozen:
            os.kill(pid, signal.SIGCONT)
        self._frozen = []


@pytest.fixture(scope="module")
async def database(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Database]:
    made = await asyncio.to_thread(Database, tmp_path_factory.mktemp("down"))
    await migrate(made.settings())
    yield made
    await asyncio.to_thread(made.discard)


@asynccontextmanager
async def served(settings: Settings) -> AsyncIterator[tuple[Service, httpx2.AsyncClient]]:
    app = create_app(settings)
    async with serving(app) as url, httpx2.AsyncClient(base_url=url, timeout=30) as client:
        yield Service(app, url), client


async def timed(answering: Awaitable[httpx2.Response]) -> tuple[httpx2.Response, float]:
    loop = asyncio.get_running_loop()
    started = loop.time()
    return await answering, loop.time() - started


async def assert_unavailable(
    client: httpx2.AsyncClient, *, within: float, problem: str = "database-unavailable", rounds: int = 2
) -> None:
    """Everything that needs the database says so in time, several at once."""
    asked = [client.request(method, path, json=body) for method, path, body in _NEED_DATABASE * rounds]
    for answer, seconds in await asyncio.gather(*map(timed, asked)):
        assert answer.status_code == 503, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["type"] == f"/problems/{problem}"
        assert int(answer.headers["retry-after"]) > 0
        assert seconds < within, f"{answer.request.method} {answer.request.url}: {seconds:.2f} s"


async def assert_the_rest_works(client: httpx2.AsyncClient) -> None:
    for method, path, body, status in _NEED_NONE:
        answer, seconds = await timed(client.request(method, path, json=body))
        assert answer.status_code == status
        assert seconds < _PROMISED


async def assert_serves(client: httpx2.AsyncClient, requests: int) -> None:
    """A mix of requests, twenty at a time, without a single error."""
    created = await client.post("/goods", json=_GOOD)
    assert created.status_code == 201
    path = created.headers["location"]

    async def one_client() -> None:
        for n in range(requests // 20):
            answer = await [
                lambda: client.get(path),
                lambda: client.get("/goods?limit=5"),
                lambda: client.post("/goods", json=_GOOD),
                lambda: client.patch(path, json={"stock": random.randrange(9)}),
            ][n % 4]()
            assert answer.is_success, answer.text

    await asyncio.gather(*(one_client() for _ in range(20)))


async def assert_whole(pool: Pool) -> None:
    """Every place in the pool can be used, and no connection is taken."""
    inner: Any = pool._pool
    await until(lambda: inner._queue.qsize() == pool.size)
    assert pool.idle_connections == pool.open_connections <= pool.size


async def is_ready(client: httpx2.AsyncClient) -> bool:
    return (await client.get("/readyz")).status_code == 200


async def test_a_stopped_database_is_told_in_time_and_its_return_is_noticed_at_once(database: Database) -> None:
    async with served(database.settings()) as (service, client):
        await assert_serves(client, 40)
        await database.stop()
        try:
            await assert_the_rest_works(client)
            await assert_unavailable(client, within=_PROMISED)
            answer, seconds = await timed(client.get("/readyz"))
            assert (answer.status_code, seconds < _PROMISED) == (503, True)
            await service.parts.gauges.refresh()
            assert "database_up 0.0" in (await client.get("/metrics")).text
        finally:
            await database.start()
        await until(lambda: is_ready(client), seconds=5)
        await assert_serves(client, 500)
        await service.parts.gauges.refresh()
        assert "database_up 1.0" in (await client.get("/metrics")).text
        await assert_whole(service.parts.database.primary)


async def test_a_service_that_starts_before_its_database_becomes_ready_with_it(database: Database) -> None:
    await database.stop()
    try:
        async with served(database.settings()) as (_, client):
            await assert_the_rest_works(client)
            await assert_unavailable(client, within=_PROMISED)
            assert not await is_ready(client)
            await database.start()
            await until(lambda: is_ready(client), seconds=5)
            await assert_serves(client, 100)
    finally:
        await database.start()


async def test_a_database_without_a_schema_is_not_ready_until_it_is_migrated(database: Database) -> None:
    async with database.session() as opened:
        await opened.execute("DROP DATABASE IF EXISTS blank")
        await opened.execute("CREATE DATABASE blank")
    settings = database.settings(DB_NAME="blank")
    async with served(settings) as (_, client):
        await assert_the_rest_works(client)
        await assert_unavailable(client, within=_PROMISED, problem="not-ready")
        answer = await client.get("/readyz")
        assert (answer.status_code, answer.json()["type"]) == (503, "/problems/not-ready")
        assert 'result="error"} 1' not in (await client.get("/metrics")).text, "it is no fault of the service"
        await migrate(settings)
        assert await is_ready(client)
        await assert_serves(client, 100)


_TERMINATE = """
SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


async def test_reads_do_not_fail_when_all_connections_were_cut_between_requests(database: Database) -> None:
    async with served(database.settings()) as (service, client), database.session() as opened:
        path = (await client.post("/goods", json=_GOOD)).headers["location"]
        for _ in range(10):
            lists = (client.get("/goods?limit=3") for _ in range(8))
            assert {answer.status_code for answer in await asyncio.gather(*lists)} == {200}
            assert service.parts.database.primary.open_connections == 4
            await opened.execute(_TERMINATE)
            reads = (client.get(one) for one in [path, "/goods", "/categories", "/readyz"] * 4)
            assert {answer.status_code for answer in await asyncio.gather(*reads)} == {200}
        await assert_serves(client, 100)
        await assert_whole(service.parts.database.primary)


async def test_a_read_whose_connection_is_cut_is_tried_again_and_a_write_is_not(database: Database) -> None:
    blocked = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    async with served(database.settings()) as (service, client), database.session() as opened:
        path = (await client.post("/goods", json=_GOOD)).headers["location"]

        async def cut(asking: Awaitable[httpx2.Response], *, again: bool) -> httpx2.Response:
            async with opened.transaction():
                await opened.execute("LOCK TABLE goods IN ACCESS EXCLUSIVE MODE")
                asked = asyncio.ensure_future(asking)
                await until(lambda: opened.fetchval(blocked))
                await opened.execute(_TERMINATE)
                if again:
                    await until(lambda: opened.fetchval(blocked))
                else:
                    await asyncio.wait([asked], timeout=1)
                    assert asked.done()
            return await asked

        assert (await cut(client.get(path), again=True)).status_code == 200
        assert (await cut(client.get("/goods?limit=3"), again=True)).status_code == 200
        assert (await cut(client.patch(path, json={"stock": 77}), again=False)).status_code == 503
        assert (await client.get(path)).json()["stock"] == 1
        await assert_whole(service.parts.database.primary)


@pytest.mark.parametrize("warm", [True, False], ids=["with open connections", "without connections"])
async def test_a_frozen_database_keeps_nobody_waiting_beyond_the_deadlines(database: Database, *, warm: bool) -> None:
    settings = database.settings(CONNECT_TIMEOUT=0.5, STATEMENT_TIMEOUT=0.4, LOCK_TIMEOUT=0.3)
    within = settings.connect_timeout + settings.statement_timeout + 1 + 0.5
    async with served(settings) as (service, client):
        if warm:
            await assert_serves(client, 40)
        await database.freeze()
        try:
            reads: list[Awaitable[tuple[httpx2.Response, float]]] = []
            for n in range(12):  # they arrive one after another, while earlier ones wait
                reads.append(asyncio.ensure_future(timed(client.get(f"/goods/{n + 1}"))))
                await assert_the_rest_works(client)
                await asyncio.sleep(0.1)  # not to wait for anything: this is how far apart the requests are
            answer, seconds = await timed(client.get("/readyz"))
            assert (answer.status_code, seconds < _PROMISED) == (503, True)
            for answer, seconds in await asyncio.gather(*reads):
                assert answer.status_code == 503
                assert seconds < within
            asked = [client.request(method, path, json=body) for method, path, body in _NEED_DATABASE]
            for answer, seconds in await asyncio.gather(*map(timed, asked)):
                assert answer.status_code == 503
                assert seconds < within
        finally:
            database.thaw()
        await until(lambda: is_ready(client), seconds=5)
        await assert_serves(client, 200)
        await assert_whole(service.parts.database.primary)


def exhausted(service: Service) -> float:
    value = service.parts.exposition.registry.get_sample_value("database_pool_exhausted_total", {"pool": "primary"})
    assert value is not None
    return value


@pytest.mark.parametrize("warm", [True, False], ids=["with a free connection", "without any yet"])
async def test_requests_beyond_the_pool_are_told_so_and_counted(database: Database, *, warm: bool) -> None:
    settings = database.settings(DB_POOL_SIZE=1, CONNECT_TIMEOUT=0.3)
    async with served(settings) as (service, client), database.session() as opened:
        if warm:
            assert (await client.get("/goods?limit=1")).status_code == 200
        async with opened.transaction():
            await opened.execute("LOCK TABLE goods IN ACCESS EXCLUSIVE MODE")
            writes = [asyncio.ensure_future(timed(client.post("/goods", json=_GOOD))) for _ in range(6)]
            done, waiting = await asyncio.wait(writes, timeout=1.2)
            assert (len(done), len(waiting)) == (5, 1), "all but the one that has the connection have given up"
            for answer, seconds in (task.result() for task in done):
                assert (answer.status_code, answer.json()["type"]) == (503, "/problems/overloaded")
                assert int(answer.headers["retry-after"]) > 0
                assert seconds < _PROMISED
            assert exhausted(service) == 5
            await assert_the_rest_works(client)
            assert await is_ready(client), "health checks have connections of their own"
        assert (await writes[0])[0].status_code in (201, 503)
        await assert_serves(client, 100)
        await assert_whole(service.parts.database.primary)


async def test_clients_that_leave_in_the_middle_leave_nothing_behind(database: Database) -> None:
    body = b'{"name":"left","price":1,"stock":1}'
    post = b"POST /goods HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    sent = [
        b"GET /goods/1 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /goods?limit=500 HTTP/1.1\r\nHost: x\r\n\r\n",
        post % len(body) + body,
        post % len(body) + body[:10],
        b"PATCH /goods/1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n"
        b'{"stock":5}',
    ]
    open_transactions = (
        "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%' AND pid <> pg_backend_pid()"
    )
    async with served(database.settings()) as (service, client), database.session() as opened:

        async def leave(n: int) -> None:
            _, writer = await asyncio.open_connection("127.0.0.1", service.port)
            writer.write(sent[n % len(sent)])
            await writer.drain()
            for _ in range(n % 7):
                await asyncio.sleep(0)  # some leave at once, some while their statement runs
            writer.transport.abort()

        for n in range(0, 300, 30):
            await asyncio.gather(*(leave(n + k) for k in range(30)))
        in_progress = service.parts.exposition.registry.get_sample_value
        await until(lambda: in_progress("http_requests_in_progress", {"method": "POST"}) == 0)
        await assert_whole(service.parts.database.primary)
        assert await opened.fetchval(open_transactions) == 0
        await assert_serves(client, 100)
        assert await opened.fetchval(
            "SELECT count(*) = 0 FROM goods g WHERE stock <> coalesce("
            "(SELECT sum(delta) FROM stock_movements m WHERE m.goods_id = g.id), 0)"
        )
