"""Slow and greedy clients: the proof has more of them, and compares speeds."""

from collections.abc import AsyncIterator

import pytest

from tests.faults.database import Database, served
from tests.faults.slow_clients import send_too_much, serve_beside_slow_clients

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
async def database(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Database]:
    async with Database.running(tmp_path_factory.mktemp("goods")) as made:
        yield made


async def test_slow_clients_are_cut_off_and_others_are_served_meanwhile(database: Database) -> None:
    found = await serve_beside_slow_clients(database, heads=20, bodies=20, requests=80)
    assert found.cut_off == {408: 40}


@pytest.mark.parametrize("chunked", [False, True])
async def test_what_is_too_large_is_told_so(database: Database, *, chunked: bool) -> None:
    async with served(database.settings(MAX_BODY_BYTES=100_000)) as (service, client):
        assert await send_too_much(service, bodies=20, size=2_000_000, chunked=chunked) == {413: 20}
        assert (await client.get("/goods")).status_code == 200
