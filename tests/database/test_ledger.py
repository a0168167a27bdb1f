"""The check of the ledger: finds what somebody did to the tables past the service, and is not fooled by writers."""

import logging
from collections.abc import Iterator
from typing import Any

import asyncpg
import httpx2
import pytest
from prometheus_client import CollectorRegistry

from app.config.conf import Settings
from app.database.db import DatabaseAddress
from app.goods.queries.ledger_watch import LedgerWatch
from app.metrics.ledger import LedgerMetrics
from tests.api.support import create
from tests.conftest import Service

_TAMPERING = [
    "UPDATE goods SET stock = stock + 1 WHERE id = 1",
    "DELETE FROM stock_movements WHERE goods_id = 1 AND reason = 'sale'",
    "UPDATE stock_movements SET delta = delta - 1 WHERE goods_id = 1 AND reason = 'sale'",
    "UPDATE stock_movements SET balance = balance + 1 WHERE goods_id = 1 AND reason = 'initial'",
    "DELETE FROM goods WHERE id = 1",
]


class Watched:
    """A watch of the test's own, that looks when it is told to."""

    def __init__(self, service: Service) -> None:
        self._registry = CollectorRegistry()
        self._metrics = LedgerMetrics(self._registry)
        self._watch = LedgerWatch(service.parts.database, self._metrics, seconds=3600)

    async def look(self) -> float | None:
        """What the gauge says after a look."""
        await self._watch.look()
        self._metrics.sample()
        return self.value("goods_stock_mismatch")

    def value(self, name: str) -> float | None:
        return self._registry.get_sample_value(name)


class _Records(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def logged() -> Iterator[list[logging.LogRecord]]:
    """What the check has to say."""
    handler = _Records()
    logger = logging.getLogger("goods.ledger")
    logger.addHandler(handler)
    yield handler.records
    logger.removeHandler(handler)


@pytest.fixture
async def watched(service: Service) -> Watched:
    return Watched(service)


async def _sold(client: httpx2.AsyncClient) -> int:
    """The id of a good whose ledger has its first pieces, a sale and a receipt."""
    good = await create(client, stock=10)
    for delta, reason in ((-3, "sale"), (5, "receipt")):
        assert (await client.post(f"/goods/{good['id']}/stock", json={"delta": delta, "reason": reason})).is_success
    goods_id: int = good["id"]
    return goods_id


@pytest.mark.parametrize("tampering", _TAMPERING)
async def test_what_is_done_past_the_service_is_found(
    client: httpx2.AsyncClient, connection: Any, watched: Watched, logged: list[logging.LogRecord], tampering: str
) -> None:
    await _sold(client)
    await create(client, stock=4)
    assert await watched.look() == 0
    await connection.execute(tampering)
    assert await watched.look() == 1
    assert await watched.look() == 1
    assert [(record.levelname, record.__dict__["event"]) for record in logged] == [("ERROR", "ledger.mismatch")]
    assert logged[0].__dict__["goods_id"] == 1


async def test_a_good_that_is_mended_is_not_wrong_any_more(
    client: httpx2.AsyncClient, connection: Any, watched: Watched, logged: list[logging.LogRecord]
) -> None:
    goods_id = await _sold(client)
    await connection.execute("UPDATE goods SET stock = 0 WHERE id = $1", goods_id)
    assert await watched.look() == 1
    await connection.execute("UPDATE goods SET stock = 12 WHERE id = $1", goods_id)
    assert await watched.look() == 0
    assert [record.__dict__["event"] for record in logged] == ["ledger.mismatch", "ledger.mended"]


async def test_a_writer_under_way_is_no_mistake(
    client: httpx2.AsyncClient, settings: Settings, watched: Watched
) -> None:
    """One that has moved stock, and one that has written half of what it will."""
    goods_id = await _sold(client)
    writer = await asyncpg.connect(**DatabaseAddress.of(settings).connect_arguments())
    try:
        transaction = writer.transaction()
        await transaction.start()
        await writer.execute("UPDATE goods SET stock = 0, version = version + 1 WHERE id = $1", goods_id)
        assert await watched.look() == 0
        await writer.execute(
            "INSERT INTO stock_movements (goods_id, goods_version, delta, balance, reason, actor, created_at)"
            " VALUES ($1, 4, -12, 0, 'sale', 'test', now())",
            goods_id,
        )
        assert await watched.look() == 0
        await transaction.commit()
    finally:
        await writer.close()
    assert await watched.look() == 0


async def test_goods_that_changed_are_looked_at_without_a_sweep(
    client: httpx2.AsyncClient, connection: Any, service: Service, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    goods_id = await _sold(client)
    assert await watched.look() == 0
    monkeypatch.setattr("app.goods.queries.ledger_watch._SWEEPING", -1.0)
    await connection.execute("UPDATE goods SET stock = stock + 1 WHERE id = $1", goods_id)
    assert await watched.look() == 0
    assert (await client.patch(f"/goods/{goods_id}", json={"name": "changed"})).is_success
    await service.parts.feed.number()
    assert await watched.look() == 1


async def test_a_sweep_that_takes_several_looks_comes_to_every_good(
    client: httpx2.AsyncClient, connection: Any, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(12):
        await create(client, sku=f"S{n}", stock=n)
    assert await watched.look() == 0
    await connection.execute("UPDATE goods SET stock = stock + 1 WHERE id IN (2, 7, 12)")
    monkeypatch.setattr("app.goods.queries.ledger_watch._WIDEST", 5)
    found = [await watched.look() for _ in range(2)]
    assert found[-1] == 3


async def test_the_ages_say_how_old_the_knowledge_is(
    client: httpx2.AsyncClient, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _sold(client)
    now = 1_000.0
    monkeypatch.setattr("app.metrics.ledger.time.monotonic", lambda: now)
    assert await watched.look() == 0
    assert watched.value("goods_stock_mismatch_age_seconds") == 0
    assert watched.value("goods_stock_sweep_age_seconds") == 0
    now = 1_090.0
    monkeypatch.setattr("app.goods.queries.ledger_watch._SWEEPING", -1.0)
    assert await watched.look() == 0
    assert watched.value("goods_stock_mismatch_age_seconds") == 0
    assert watched.value("goods_stock_sweep_age_seconds") == 90
