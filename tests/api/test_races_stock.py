"""Clients that move the same stock at the same time. The proof does it with many more."""

import asyncio
from typing import Any

import httpx2

from tests.api.stock_rush import assert_ledgers_are_right, fill_baskets, sell_out
from tests.api.support import create


async def test_of_too_many_sales_as_many_succeed_as_there_are_pieces(
    client: httpx2.AsyncClient, connection: Any
) -> None:
    await sell_out(client, connection, stock=120, sales=200, clients=16)


async def test_baskets_in_any_order_are_moved_whole_or_not_at_all(client: httpx2.AsyncClient, connection: Any) -> None:
    await fill_baskets(client, connection, goods=10, stock=10, baskets=100, clients=16)


async def test_movements_and_every_other_change_at_once_keep_the_ledger_right(
    client: httpx2.AsyncClient, connection: Any
) -> None:
    goods = [await create(client, sku=f"S{n}", stock=20) for n in range(6)]
    calls = [
        call
        for n, good in enumerate(goods * 4)
        for call in (
            client.post(f"/goods/{good['id']}/stock", json={"delta": -3, "reason": "sale"}),
            client.patch(f"/goods/{good['id']}", json={"stock": n}),
            client.post(
                "/stock",
                json={"lines": [{"sku": other["sku"], "delta": -1} for other in reversed(goods)], "reason": "sale"},
            ),
            client.post("/goods/bulk", json={"items": [{"sku": other["sku"], "stock": n + 30} for other in goods]}),
        )
    ]
    answers = await asyncio.gather(*calls, client.delete(f"/goods/{goods[0]['id']}"))
    # An item of bulk whose good is gone lacks what a new one needs.
    assert {answer.status_code for answer in answers} <= {200, 201, 204, 404, 409, 422}
    await assert_ledgers_are_right(connection)
