"""DELETE: the good goes, its ledger and its changes stay."""

from datetime import datetime
from typing import Any

import httpx2
import pytest

from tests.api.support import assert_problem, changes, counted, create, movements


async def test_a_deleted_good_is_gone(client: httpx2.AsyncClient) -> None:
    good = await create(client, sku="A/B")
    answer = await client.delete(f"/goods/{good['id']}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert "content-type" not in answer.headers
    assert "etag" not in answer.headers
    assert_problem(await client.get("/goods/by-sku/A/B"), 404, "goods-not-found")
    for method, body in (("GET", None), ("DELETE", None), ("PUT", good), ("PATCH", {})):
        answer = await client.request(method, f"/goods/{good['id']}", json=body)
        assert_problem(answer, 404, "goods-not-found")
    assert (await client.get("/goods")).json()["items"] == []


async def test_a_deletion_is_written_into_the_ledger_and_the_changes(
    client: httpx2.AsyncClient, connection: Any
) -> None:
    good = await create(client, stock=12)
    other = await create(client, stock=1)
    deleted = await counted(client, "goods_operations_total", operation="delete", result="ok")
    await client.delete(f"/goods/{good['id']}", headers={"X-Request-ID": "clear-out"})
    initial, movement = await movements(connection, good["id"])
    assert (movement["reason"], movement["delta"], movement["balance"]) == ("delete", -12, 0)
    assert movement["goods_version"] == 2
    assert initial["delta"] + movement["delta"] == 0
    created, change = await changes(connection, good["id"])
    assert created["after"] == good
    assert (change["operation"], change["version"], change["request_id"]) == ("delete", 2, "clear-out")
    assert (change["before"], change["after"]) == (good, None)
    assert change["at"] == movement["created_at"] > datetime.fromisoformat(good["created_at"])
    assert len(await changes(connection, other["id"])) == 1
    assert await counted(client, "goods_operations_total", operation="delete", result="ok") == deleted + 1


async def test_a_good_without_stock_leaves_no_movement(client: httpx2.AsyncClient, connection: Any) -> None:
    good = await create(client, stock=0)
    await client.delete(f"/goods/{good['id']}")
    assert await movements(connection, good["id"]) == []


async def test_the_sku_can_be_used_again_by_another_good(client: httpx2.AsyncClient, connection: Any) -> None:
    good = await create(client, sku="A/B", stock=5)
    await client.delete(f"/goods/{good['id']}")
    again = await create(client, sku="A/B", stock=7)
    assert again["id"] > good["id"]
    assert again["version"] == 1
    assert (await client.get("/goods/by-sku/A/B")).json() == again
    entries = await connection.fetch("SELECT operation FROM changes WHERE sku = 'A/B' ORDER BY seq")
    assert [entry["operation"] for entry in entries] == ["create", "delete", "create"]
    assert [row["delta"] for row in await movements(connection, good["id"])] == [5, -5]


@pytest.mark.parametrize("stock", [0, 7])
async def test_stock_is_the_sum_of_its_movements_at_every_step(
    client: httpx2.AsyncClient, connection: Any, stock: int
) -> None:
    good = await create(client, stock=stock)
    path = f"/goods/{good['id']}"
    for target in (3, 3, 0, 2_147_483_647, 1):
        await client.patch(path, json={"stock": target})
        assert sum(row["delta"] for row in await movements(connection, good["id"])) == target
    await client.delete(path)
    ledger = await movements(connection, good["id"])
    balance = 0
    for row in ledger:
        balance += row["delta"]
        assert row["balance"] == balance
    assert balance == 0
