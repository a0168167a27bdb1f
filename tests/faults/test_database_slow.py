"""What the service does while its database is frozen or out of connections, or its clients leave."""

import asyncio
from collections.abc import AsyncIterator, Awaitable

import httpx2
import pytest

from tests.conftest import Service, until
from tests.faults.database import (
    GOOD,
    NEED_DATABASE,
    PROMISED,
    Database,
    assert_serves,
    assert_the_rest_works,
    assert_whole,
    is_ready,
    served,
    timed,
)


@pytest.fixture(scope="module")
async def database(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Database]:
    async with Database.running(tmp_path_factory.mktemp("goods")) as made:
        yield made


async def test_whoever_is_cancelled_while_the_database_hangs_ends_as_cancelled(database: Database) -> None:
    """The farewell to a connection that does not answer fails as well: a task that took that for its end went on."""
    running = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)'"
    async with served(database.settings()) as (service, _), database.session() as opened:
        pool = service.parts.database.primary
        asking = asyncio.ensure_future(pool.fetch("SELECT pg_sleep(60)"))
        await until(lambda: opened.fetchval(running))
        await database.freeze()
        try:
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
        finally:
            database.thaw()
        await assert_whole(pool)


@pytest.mark.parametrize("warm", [True, False], ids=["with open connections", "without connections"])
async def test_a_frozen_database_keeps_nobody_waiting_beyond_the_deadlines(database: Database, *, warm: bool) -> None:
    settings = database.settings(CONNECT_TIMEOUT=0.5, STATEMENT_TIMEOUT=0.4, LOCK_TIMEOUT=0.3)
    within = settings.connect_timeout + settings.statement_timeout + 1 + 0.5
    patience = 1.5  # of those who wait for a shared query to be sent
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
            assert (answer.status_code, seconds < PROMISED) == (503, True)
            for answer, seconds in await asyncio.gather(*reads):
                assert answer.status_code == 503
                assert seconds < within + patience
            asked = [client.request(method, path, json=body) for method, path, body in NEED_DATABASE]
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
            change = {"stock": 1}
            writes = [asyncio.ensure_future(timed(client.patch("/goods/1", json=change))) for _ in range(6)]
            done, waiting = await asyncio.wait(writes, timeout=1.2)
            assert (len(done), len(waiting)) == (5, 1), "all but the one that has the connection have given up"
            for answer, seconds in (task.result() for task in done):
                assert (answer.status_code, answer.json()["type"]) == (503, "/problems/overloaded")
                assert int(answer.headers["retry-after"]) > 0
                assert seconds < PROMISED
            assert exhausted(service) == 5
            await assert_the_rest_works(client)
            assert await is_ready(client), "health checks have connections of their own"
        # Answered by the database, whether the good is there or not, or turned away before.
        assert (await writes[0])[0].status_code in (200, 404, 503)
        await assert_serves(client, 100, clients=4)
        await assert_whole(service.parts.database.primary)


async def test_creates_that_meet_a_locked_table_are_told_in_time(database: Database) -> None:
    """Those that come behind two statements that wait give up; nobody has two deadlines of the database's."""
    settings = database.settings(CONNECT_TIMEOUT=0.3)
    async with served(settings) as (service, client), database.session() as opened:
        async with opened.transaction():
            await opened.execute("LOCK TABLE goods IN ACCESS EXCLUSIVE MODE")
            creating = []
            for _ in range(20):
                creating.append(asyncio.create_task(timed(client.post("/goods", json=GOOD))))
                await asyncio.sleep(0.05)  # one after the other, so that they do not share a statement
            answers = await asyncio.gather(*creating)
        for answer, seconds in answers:
            assert answer.status_code == 503
            assert seconds < 2 * settings.connect_timeout + settings.lock_timeout + 1
        assert sum(seconds < 1 for _, seconds in answers) > 10, "most wait for no more than their turn"
        await assert_serves(client, 100, clients=4)
        await assert_whole(service.parts.database.primary)


async def test_clients_that_leave_in_the_middle_leave_nothing_behind(database: Database) -> None:
    await leave_in_the_middle(database, clients=300)


async def leave_in_the_middle(database: Database, *, clients: int) -> None:
    """So many clients go away while they send or wait; within seconds nothing is left of them."""
    body = b'{"name":"left","price":1,"stock":1}'
    post = b"POST /goods HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    sent = [
        b"GET /goods/1 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /goods?limit=500 HTTP/1.1\r\nHost: x\r\n\r\n",
        post % len(body) + body,
        post % len(body) + body[:10],
        post.replace(b"POST /goods", b"PATCH /goods/1") % 11 + b'{"stock":5}',
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

        for n in range(0, clients, 30):
            await asyncio.gather(*(leave(n + k) for k in range(30)))
        in_progress = service.parts.exposition.registry.get_sample_value
        await until(lambda: in_progress("http_requests_in_progress", {"method": "POST"}) == 0, seconds=5)
        await assert_whole(service.parts.database.primary)
        assert await opened.fetchval(open_transactions) == 0
        await assert_serves(client, 100)
        assert await opened.fetchval(
            "SELECT count(*) = 0 FROM goods g WHERE stock <> coalesce("
            "(SELECT sum(delta) FROM stock_movements m WHERE m.goods_id = g.id), 0)"
        )
