"""Many clients that move stock at once, and what must be true afterwards: small in the suite, large in the proof."""

import asyncio
import random
from collections import Counter
from typing import Any

import httpx2

from tests.api.support import create, movements, read

_REQUESTS_SECONDS = 60


async def _rush(url: str, clients: int, requests: list[dict[str, Any]], path: str) -> list[httpx2.Response]:
    """The answers, in the order of the requests; each client has connections of its own."""
    answers: dict[int, httpx2.Response] = {}
    left = iter(enumerate(requests))

    async def one_client() -> None:
        async with httpx2.AsyncClient(base_url=url, timeout=_REQUESTS_SECONDS, verify=False) as client:
            for n, body in left:
                answers[n] = await client.post(path, json=body)

    await asyncio.gather(*(one_client() for _ in range(clients)))
    return [answers[n] for n in range(len(requests))]


async def assert_ledgers_are_right(connection: Any) -> None:
    """For every good: the deltas add up to the stock, each balance to the next, and versions to the changes."""
    wrong = await connection.fetch("""
        SELECT g.id FROM goods g LEFT JOIN LATERAL (
          SELECT sum(delta) AS total, bool_and(balance = running) AS unbroken
          FROM (SELECT delta, balance, sum(delta) OVER (ORDER BY id) AS running
            FROM stock_movements WHERE goods_id = g.id) m) ledger ON true
        WHERE g.stock <> coalesce(total, 0) OR NOT coalesce(unbroken, true)
          OR g.version <> (SELECT count(*) FROM changes WHERE goods_id = g.id)
          OR g.version <> (SELECT max(version) FROM changes WHERE goods_id = g.id)
    """)
    assert wrong == []


async def sell_out(
    client: httpx2.AsyncClient, connection: Any, *, stock: int, sales: int, clients: int
) -> Counter[int]:
    """So many sales of one piece each, of one good that has fewer; how often which status was answered."""
    good = await create(client, stock=stock)
    body = {"delta": -1, "reason": "sale"}
    answers = await _rush(str(client.base_url), clients, [body] * sales, f"/goods/{good['id']}/stock")
    outcomes = Counter(answer.status_code for answer in answers)
    assert outcomes == {201: stock, 409: sales - stock}
    sold = [answer.json() for answer in answers if answer.status_code == 201]
    assert sorted(movement["balance"] for movement in sold) == list(range(stock))
    for answer in answers:
        if answer.status_code == 409:
            problem = answer.json()
            assert (problem["type"], problem["requested"], problem["available"]) == ("/problems/stock-too-low", 1, 0)
    assert (await read(client, good["id"]))["stock"] == 0
    entries = [row for row in await movements(connection, good["id"]) if row["reason"] == "sale"]
    assert len(entries) == stock
    await assert_ledgers_are_right(connection)
    return outcomes


async def fill_baskets(
    client: httpx2.AsyncClient, connection: Any, *, goods: int, stock: int, baskets: int, clients: int
) -> Counter[int]:
    """Baskets of 2 to 6 lines of goods in random order, more than there is; how often which status was answered."""
    made = [await create(client, sku=f"S{n}", stock=stock) for n in range(goods)]
    bodies: list[dict[str, Any]] = [
        {
            "lines": [
                {
                    **random.choice([{"sku": good["sku"]}, {"goods_id": good["id"]}]),
                    "delta": random.choice([-3, -2, -1, 1]),
                }
                for good in random.choices(made, k=random.randint(2, 6))
            ],
            "reason": "sale",
            "reference": f"B{n}",
        }
        for n in range(baskets)
    ]
    answers = await _rush(str(client.base_url), clients, bodies, "/stock")
    outcomes = Counter(answer.status_code for answer in answers)
    assert set(outcomes) <= {201, 409}, outcomes
    ledger: dict[str, list[tuple[int, int]]] = {}
    for row in await connection.fetch("SELECT * FROM stock_movements WHERE reason = 'sale' ORDER BY id"):
        ledger.setdefault(row["reference"], []).append((row["goods_id"], row["delta"]))
    ids = {good["sku"]: good["id"] for good in made}
    expected = dict.fromkeys(ids.values(), stock)
    for body, answer in zip(bodies, answers, strict=True):
        lines = [(line.get("goods_id") or ids[line["sku"]], line["delta"]) for line in body["lines"]]
        moved = lines if answer.status_code == 201 else []
        assert ledger.get(body["reference"], []) == moved, "a basket was moved in part"
        for goods_id, delta in moved:
            expected[goods_id] += delta
    stored = await connection.fetch("SELECT id, stock FROM goods")
    assert {row["id"]: row["stock"] for row in stored} == expected
    await assert_ledgers_are_right(connection)
    return outcomes
