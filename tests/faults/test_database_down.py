"""What the service does while its database is away or empty, and afterwards."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress

import httpx2
import pytest

from app.database.migrate import migrate
from tests.conftest import until
from tests.faults.database import (
    GOOD,
    NEED_DATABASE,
    PROMISED,
    Database,
    assert_serves,
    assert_the_rest_works,
    assert_unavailable,
    assert_whole,
    is_ready,
    served,
    timed,
)


@pytest.fixture(scope="module")
async def database(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Database]:
    async with Database.running(tmp_path_factory.mktemp("goods")) as made:
        yield made


async def test_a_stopped_database_is_told_in_time_and_its_return_is_noticed_at_once(database: Database) -> None:
    await stop_and_start(database, requests_afterwards=500)


async def stop_and_start(database: Database, *, requests_afterwards: int) -> None:
    """Without the database everything that needs it is 503 in time; five seconds after its return nothing fails."""
    async with served(database.settings()) as (service, client):
        await assert_serves(client, 40)
        await database.stop()
        try:
            await assert_the_rest_works(client)
            await assert_unavailable(client, within=PROMISED)
            answer, seconds = await timed(client.get("/readyz"))
            assert (answer.status_code, seconds < PROMISED) == (503, True)
            await service.parts.gauges.refresh()
            assert "database_up 0.0" in (await client.get("/metrics")).text
        finally:
            await database.start()
        await until(lambda: is_ready(client), seconds=5)
        await assert_serves(client, requests_afterwards)
        await service.parts.gauges.refresh()
        assert "database_up 1.0" in (await client.get("/metrics")).text
        await assert_whole(service.parts.database.primary)


async def test_a_service_that_starts_before_its_database_becomes_ready_with_it(database: Database) -> None:
    await database.stop()
    try:
        async with served(database.settings()) as (_, client):
            await assert_the_rest_works(client)
            await assert_unavailable(client, within=PROMISED)
            assert not await is_ready(client)
            await database.start()
            await until(lambda: is_ready(client), seconds=5)
            await assert_serves(client, 100)
    finally:
        await database.start()


async def test_what_fails_for_want_of_a_schema_is_counted_as_unavailable(database: Database) -> None:
    """Not as an error: that is a fault of the service, and wakes somebody."""
    async with database.session() as opened:
        await opened.execute("DROP DATABASE IF EXISTS blank WITH (FORCE)")
        await opened.execute("CREATE DATABASE blank")
    async with served(database.settings(DB_NAME="blank")) as (_, client):
        await assert_unavailable(client, within=PROMISED, problem="not-ready")
        shown = (await client.get("/metrics")).text
        counts = re.findall(r'goods_operations_total{.*result="(\w+)"} (\S+)', shown)
        assert {result for result, count in counts if float(count)} == {"unavailable"}


async def test_a_database_without_a_schema_is_not_ready_until_it_is_migrated(database: Database) -> None:
    async with database.session() as opened:
        await opened.execute("DROP DATABASE IF EXISTS blank WITH (FORCE)")
        await opened.execute("CREATE DATABASE blank")
    settings = database.settings(DB_NAME="blank")
    async with served(settings) as (_, client):
        await assert_the_rest_works(client)
        await assert_unavailable(client, within=PROMISED, problem="not-ready")
        answer = await client.get("/readyz")
        assert (answer.status_code, answer.json()["type"]) == (503, "/problems/not-ready")
        await migrate(settings)
        assert await is_ready(client)
        await assert_serves(client, 100)


_TERMINATE = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_ALONE = "SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = current_database()"


async def test_reads_do_not_fail_when_all_connections_were_cut_between_requests(database: Database) -> None:
    async with served(database.settings()) as (service, client), database.session() as opened:
        path = (await client.post("/goods", json=GOOD)).headers["location"]
        for _ in range(10):
            lists = (client.get("/goods?limit=3") for _ in range(8))
            assert {answer.status_code for answer in await asyncio.gather(*lists)} == {200}
            assert service.parts.database.primary.open_connections == 4
            await opened.execute(_TERMINATE)
            await until(lambda: opened.fetchval(_ALONE))
            reads = (client.get(one) for one in [path, "/goods", "/categories", "/readyz"] * 4)
            assert {answer.status_code for answer in await asyncio.gather(*reads)} == {200}
        await assert_serves(client, 100)
        await assert_whole(service.parts.database.primary)


@asynccontextmanager
async def lingering(folder: str, port: int) -> AsyncIterator[int]:
    """The port of a proxy that passes on what the server says, its goodbye too, and leaves the connection open."""
    writers: list[asyncio.StreamWriter] = []

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner = await asyncio.open_unix_connection(f"{folder}/.s.PGSQL.{port}")
        writers.extend((writer, inner))
        await asyncio.gather(pump(reader, inner), pump(inner_reader, writer))

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
        for writer in writers:
            writer.transport.abort()


async def test_a_goodbye_without_an_end_of_the_connection_fails_neither_reads_nor_writes(database: Database) -> None:
    """What is not sent can be sent on another connection, a write as well."""
    deadlines = {"STATEMENT_TIMEOUT": 0.6, "LOCK_TIMEOUT": 0.5}  # the farewell to a lingering server waits for them
    async with (
        lingering(database.address.socket_folder, database.address.port) as port,
        served(database.settings(DB_HOST="127.0.0.1", DB_PORT=port, DB_SSLMODE="disable", **deadlines)) as (
            service,
            client,
        ),
        database.session() as opened,
    ):
        for method, path, body in [("POST", "/goods", GOOD), *NEED_DATABASE[:5], ("POST", "/goods", GOOD)]:
            lists = (client.get("/goods?limit=3") for _ in range(8))
            assert {answer.status_code for answer in await asyncio.gather(*lists)} == {200}
            assert service.parts.database.primary.open_connections == 4
            await opened.execute(_TERMINATE)
            await until(lambda: opened.fetchval(_ALONE))
            answer = await client.request(method, path, json=body)
            assert answer.status_code in (200, 201, 404), answer.text
        await assert_serves(client, 40)


async def test_a_read_whose_connection_is_cut_is_tried_again_and_a_write_is_not(database: Database) -> None:
    blocked = "SELECT pid FROM pg_locks WHERE NOT granted AND pid <> $1"
    async with served(database.settings()) as (service, client), database.session() as opened:
        path = (await client.post("/goods", json=GOOD)).headers["location"]

        async def cut(asking: Awaitable[httpx2.Response], *, again: bool) -> httpx2.Response:
            async with opened.transaction():
                await opened.execute("LOCK TABLE goods IN ACCESS EXCLUSIVE MODE")
                asked = asyncio.ensure_future(asking)
                first = await until(lambda: opened.fetchval(blocked, 0))
                await opened.execute("SELECT pg_terminate_backend($1)", first)
                await until(lambda: opened.fetchval(blocked, first) if again else asked.done())
            return await asked

        assert (await cut(client.get(path), again=True)).status_code == 200
        assert (await cut(client.get("/goods?limit=3"), again=True)).status_code == 200
        assert (await cut(client.patch(path, json={"stock": 77}), again=False)).status_code == 503
        assert (await client.get(path)).json()["stock"] == 1
        await assert_whole(service.parts.database.primary)
