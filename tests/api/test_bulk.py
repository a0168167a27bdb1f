"""Many goods by their SKUs in one request: all or nothing, or all that can be."""

import asyncio
from typing import Any

import httpx2
import pytest

from tests.api.support import assert_problem, changes, counted, create, movements

_NEW = {"sku": "N", "name": "New", "price": "1.00", "stock": 2}


async def bulk(client: httpx2.AsyncClient, *items: Any, **query: str) -> httpx2.Response:
    return await client.post("/goods/bulk", json={"items": list(items)}, params=query)


async def by_sku(client: httpx2.AsyncClient, sku: str) -> Any:
    return (await client.get(f"/goods/by-sku/{sku}")).json()


def results(answer: httpx2.Response) -> list[tuple[Any, ...]]:
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert list(body) == ["results"]
    assert [result["index"] for result in body["results"]] == list(range(len(body["results"])))
    return [(result["status"], result["id"], result["version"]) for result in body["results"]]


async def test_goods_are_created_changed_or_left_alone(client: httpx2.AsyncClient, connection: Any) -> None:
    changed = await create(client, sku="A", price="1.00", stock=5, category="x")
    same = await create(client, sku="B", price="2.00")
    created_before = await counted(client, "goods_created_total")
    updated_before = await counted(client, "goods_updated_total")
    answer = await bulk(client, {"sku": "A", "price": "1.50", "stock": 3}, {"sku": "B", "price": 2}, _NEW)
    new = await by_sku(client, "N")
    assert results(answer) == [("updated", changed["id"], 2), ("unchanged", same["id"], 1), ("created", new["id"], 1)]
    after = await by_sku(client, "A")
    assert (after["price"], after["stock"], after["name"], after["category"]) == ("1.50", 3, changed["name"], "x")
    assert {**new, "id": 0, "created_at": "", "updated_at": ""} == {
        **_NEW, "description": "", "category": "", "version": 1, "id": 0, "created_at": "", "updated_at": "",
    }  # fmt: skip
    assert [(m["delta"], m["reason"]) for m in await movements(connection, changed["id"])] == [
        (5, "initial"),
        (-2, "count"),
    ]
    assert [(m["delta"], m["reason"]) for m in await movements(connection, new["id"])] == [(2, "initial")]
    entries = await changes(connection, changed["id"])
    assert [(entry["operation"], entry["version"]) for entry in entries] == [("create", 1), ("update", 2)]
    assert entries[1]["before"] == changed
    assert entries[1]["after"] == after
    assert len(await changes(connection, same["id"])) == 1
    assert await counted(client, "goods_created_total") == created_before + 1
    assert await counted(client, "goods_updated_total") == updated_before + 1


async def test_items_of_one_sku_are_one_change_and_later_fields_win(
    client: httpx2.AsyncClient, connection: Any
) -> None:
    answer = await bulk(client, {"sku": "A", "name": "a", "stock": 1}, _NEW, {"sku": "A", "price": "3.00", "stock": 4})
    (status, goods_id, version), _, last = results(answer)
    assert (status, version) == ("created", 1)
    assert last == (status, goods_id, version)
    good = await by_sku(client, "A")
    assert (good["name"], good["price"], good["stock"]) == ("a", "3.00", 4)
    assert len(await changes(connection, goods_id)) == 1


@pytest.mark.parametrize(
    ("item", "pointer"),
    [
        ({"name": "x", "price": "1"}, "#/items/1/sku"),
        ({"sku": "/", "name": "x", "price": "1"}, "#/items/1/sku"),
        ({"sku": "A", "price": "1.001"}, "#/items/1/price"),
        ({"sku": "A", "stock": -1}, "#/items/1/stock"),
        ({"sku": "A", "name": None}, "#/items/1/name"),
        ({"sku": "A", "colour": "red"}, "#/items/1/colour"),
        ({"sku": "X", "price": "1"}, "#/items/1"),
        ({"sku": "X", "name": "x"}, "#/items/1"),
        (7, "#/items/1"),
        (None, "#/items/1"),
    ],
)
async def test_one_refused_item_refuses_all_or_is_skipped(client: httpx2.AsyncClient, item: Any, pointer: str) -> None:
    good = await create(client, sku="A")
    other = {"sku": "A", "stock": 77}
    errors = assert_problem(await bulk(client, _NEW, item, other), 422, "invalid-input")
    assert [error["pointer"] for error in errors] == [pointer]
    assert (await client.get("/goods")).json()["items"] == [good]

    answer = await bulk(client, _NEW, item, other, on_error="skip")
    created, refused, updated = results(answer)
    assert (created[0], refused, updated[0]) == ("created", ("refused", None, None), "updated")
    problem = answer.json()["results"][1]["problem"]
    assert problem["type"] == "/problems/invalid-input"
    assert problem["errors"]
    assert (await by_sku(client, "A"))["stock"] == 77


async def test_no_items_change_nothing(client: httpx2.AsyncClient) -> None:
    assert results(await bulk(client)) == []


async def test_ten_thousand_are_taken_and_one_more_is_not(client: httpx2.AsyncClient) -> None:
    items = [{"sku": f"S{n}", "name": f"Good {n}", "price": "1.00", "stock": n % 3} for n in range(10_000)]
    assert {status for status, _, _ in results(await bulk(client, *items))} == {"created"}
    assert {status for status, _, _ in results(await bulk(client, *items))} == {"unchanged"}
    assert_problem(await bulk(client, *items, _NEW), 422, "invalid-input")


async def test_a_retry_with_its_key_has_one_effect(client: httpx2.AsyncClient, connection: Any) -> None:
    await connection.execute("TRUNCATE idempotency_records")
    body, headers = {"items": [_NEW]}, {"Idempotency-Key": "delivery-7"}
    answers = await asyncio.gather(*(client.post("/goods/bulk", json=body, headers=headers) for _ in range(20)))
    assert len({answer.text for answer in answers}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
    assert results(answers[0])[0][0] == "created"


async def test_many_that_overlap_in_any_order_all_succeed(client: httpx2.AsyncClient, connection: Any) -> None:
    """No deadlock surfaces, nor that two create the same good at once."""
    names = [f"S{n}" for n in range(20)]

    async def upsert(n: int) -> httpx2.Response:
        order = names[n:] + names[:n]
        items = [{"sku": sku, "name": "n", "price": "1", "stock": n} for sku in (order if n % 2 else reversed(order))]
        return await bulk(client, *items)

    answers = await asyncio.gather(*(upsert(n) for n in range(20)))
    assert {answer.status_code for answer in answers} == {200}, [answer.text[:200] for answer in answers]
    assert await connection.fetchval("SELECT count(*) FROM goods") == 20
    wrong = await connection.fetch(
        "SELECT id FROM goods g"
        " WHERE stock <> (SELECT coalesce(sum(delta), 0) FROM stock_movements WHERE goods_id = g.id)"
    )
    assert wrong == []
