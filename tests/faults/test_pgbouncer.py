"""The service behind a real PgBouncer in transaction mode; the proof runs the suite through it."""

import asyncio
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest

from app.application import create_app
from app.config.conf import Settings
from app.database.db import DatabaseAddress
from app.database.embedded import EmbeddedAddress
from tests.conftest import Service, settings_for, until
from tests.faults.database import assert_serves
from tests.faults.pgbouncer import PROGRAM, bouncing
from tests.serving import serving

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PROGRAM is None, reason="not run: there is no pgbouncer on this machine"),
]


async def test_it_serves_through_a_pgbouncer(
    service: Service, postgres: EmbeddedAddress, direct: Settings, connection: Any, tmp_path: Path
) -> None:
    assert direct.db_prepared_statements, "the other services of this run go without it"
    assert service.parts.settings.db_host != "127.0.0.1"
    with bouncing(postgres, tmp_path) as changes:
        settings = settings_for(postgres, **changes)
        app = create_app(settings)
        async with serving(app) as url, httpx2.AsyncClient(base_url=url, timeout=30, verify=False) as client:
            await assert_serves(client, 400)
            key = {"Idempotency-Key": "one"}
            sent = [
                client.post("/goods/1/stock", json={"delta": 1, "reason": "receipt"}, headers=key) for _ in range(20)
            ]
            answers = await asyncio.gather(*sent)
            assert {answer.status_code for answer in answers} == {201}
            assert len({answer.content for answer in answers}) == 1
            uploaded = await client.post(
                "/imports", content="sku,name,price\nBOUNCED,Lantern,1\n", headers={"Content-Type": "text/csv"}
            )
            path = uploaded.headers["location"]

            async def is_(state: str) -> bool:
                return bool((await client.get(path)).json()["state"] == state)

            await until(lambda: is_("planned"))
            assert (await client.post(f"{path}/apply")).status_code == 202
            await until(lambda: is_("applied"))
            assert (await client.get("/goods/by-sku/BOUNCED")).status_code == 200
            page = (await client.get("/changes?after=0&limit=500")).json()
            assert [item["position"] for item in page["items"]] == list(range(1, len(page["items"]) + 1))
        # It is real: a session's settings do not survive there, and what would be prepared is lost.
        through = await asyncpg.connect(**DatabaseAddress.of(settings).connect_arguments())
        assert await through.fetchval("SELECT inet_server_port() IS NULL")
        await through.close()
    await connection.execute("TRUNCATE imports, idempotency_records RESTART IDENTITY CASCADE")
