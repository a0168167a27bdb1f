"""Statements and locks have deadlines of their own, which the server keeps."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import httpx2

from app.application import create_app
from app.database.db import DatabaseAddress
from app.database.embedded import EmbeddedAddress
from app.database.migrate import migrate
from tests.api.support import everything
from tests.conftest import settings_for, until
from tests.serving import serving


@asynccontextmanager
async def impatient_service(
    postgres: EmbeddedAddress, connection: Any, **deadlines: float
) -> AsyncIterator[tuple[httpx2.AsyncClient, Any]]:
    """A service with small deadlines on a database of its own, and a connection to that without any."""
    await connection.execute("CREATE DATABASE impatient")
    settings = settings_for(postgres, DB_NAME="impatient", **deadlines)
    await migrate(settings)
    app = create_app(settings)
    behind = await asyncpg.connect(**DatabaseAddress.of(settings).connect_arguments())
    await behind.execute("SET statement_timeout = 0; SET lock_timeout = 0")
    try:
        async with serving(app) as url, httpx2.AsyncClient(base_url=url) as client:
            yield client, behind
    finally:
        await behind.close()
        await connection.execute("DROP DATABASE impatient WITH (FORCE)")


async def test_a_lock_that_others_hold_is_waited_for_no_longer_than_its_deadline(
    postgres: EmbeddedAddress, connection: Any
) -> None:
    async with impatient_service(postgres, connection, LOCK_TIMEOUT=0.2, STATEMENT_TIMEOUT=5) as (
        client,
        behind,
    ):
        await client.post("/goods", json={"sku": "A", "name": "a", "price": 1})
        before = await everything(behind)
        loop = asyncio.get_running_loop()
        async with behind.transaction():
            await behind.execute("LOCK TABLE goods IN ACCESS EXCLUSIVE MODE")
            started = loop.time()
            answers = await asyncio.gather(
                client.get("/goods/1"),
                client.get("/goods"),
                client.get("/categories"),
                client.post("/goods", json={"name": "b", "price": 1}),
                client.patch("/goods/1", json={"stock": 5}),
                client.delete("/goods/1"),
            )
            assert loop.time() - started < 2
        assert {answer.status_code for answer in answers} == {503}
        assert {answer.json()["type"] for answer in answers} == {"/problems/database-unavailable"}
        assert all("retry-after" in answer.headers for answer in answers)
        assert await everything(behind) == before
        assert (await client.patch("/goods/1", json={"stock": 5})).status_code == 200


async def test_a_statement_that_takes_too_long_is_ended_by_the_server(
    postgres: EmbeddedAddress, connection: Any
) -> None:
    async with impatient_service(postgres, connection, LOCK_TIMEOUT=0.2, STATEMENT_TIMEOUT=0.4) as (
        client,
        behind,
    ):
        await behind.execute(
            "CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN PERFORM pg_sleep(60); RETURN NEW; END $$;"
            "CREATE TRIGGER slow AFTER INSERT ON changes FOR EACH ROW EXECUTE FUNCTION slowly()"
        )
        loop = asyncio.get_running_loop()
        started = loop.time()
        answer = await client.post("/goods", json={"name": "slow", "price": 1, "stock": 1})
        assert loop.time() - started < 1.4
        assert answer.status_code == 503
        assert answer.json()["type"] == "/problems/database-unavailable"
        running = "SELECT count(*) = 0 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
        await until(lambda: behind.fetchval(running))
        assert all(rows == [] for rows in (await everything(behind)).values())
