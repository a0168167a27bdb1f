"""What the gauges say of the goods."""

from typing import Any

import httpx2
import pytest

from tests.conftest import Service

pytestmark = pytest.mark.usefixtures("new_tables")  # what is in a block is counted on


async def gauge(service: Service, name: str) -> float:
    async with httpx2.AsyncClient(base_url=service.url, verify=False) as client:
        text = (await client.get("/metrics")).text
    return float(next(line.split()[-1] for line in text.splitlines() if line.startswith(f"{name} ")))


async def refreshed(service: Service, connection: Any, goods: list[tuple[str, int]]) -> None:
    """Goods of these prices and this stock are there, seven in a block, and the gauges have been refreshed."""
    await connection.execute(
        "INSERT INTO goods (sku, name, description, price, stock, created_at, updated_at)"
        " SELECT 'G-' || n, 'G', repeat('-', 1000), price::numeric, stock, now(), now()"
        " FROM unnest($1::text[], $2::integer[]) WITH ORDINALITY AS given (price, stock, n)",
        [price for price, _ in goods],
        [stock for _, stock in goods],
    )
    await connection.execute("ANALYZE goods")
    await service.parts.gauges.refresh()


async def test_stock_is_counted_and_valued(service: Service, connection: Any) -> None:
    await refreshed(service, connection, [("10.50", 2), ("0.99", 100), ("7.00", 0), ("3.00", 1)])
    assert await gauge(service, "goods_in_catalogue") == 4
    assert await gauge(service, "goods_low_stock") == 3
    assert await gauge(service, "goods_out_of_stock") == 1
    assert await gauge(service, "goods_stock_value") == 21 + 99 + 3


async def test_no_goods_are_worth_nothing(service: Service, connection: Any) -> None:
    await refreshed(service, connection, [])
    assert await gauge(service, "goods_stock_value") == 0


async def test_the_value_of_many_goods_is_estimated(service: Service, connection: Any) -> None:
    """Half of the blocks are looked at when there seem to be twice as many goods as are added up."""
    await refreshed(service, connection, [("1.00", 1)] * 3000)
    await connection.execute("UPDATE pg_class SET reltuples = 200000 WHERE oid = 'goods'::regclass")
    await service.parts.gauges.refresh()
    assert 2100 < await gauge(service, "goods_stock_value") < 3900  # six standard deviations
    await connection.execute("ANALYZE goods")
