"""POST /goods/{id}/stock: pieces come and go, one movement at a time."""

from typing import Any

import httpx2
import pytest

from tests.api.support import MOMENT, assert_problem, changes, counted, create, movements, places, read

MOST = 2_147_483_647
REASONS = ("receipt", "sale", "return", "correction", "count")


async def move(client: httpx2.AsyncClient, goods_id: int, delta: Any, **fields: Any) -> httpx2.Response:
    headers = fields.pop("headers", {})
    return await client.post(
        f"/goods/{goods_id}/stock", json={"delta": delta, "reason": "sale", **fields}, headers=headers
    )


@pytest.mark.parametrize("reason", REASONS)
async def test_a_movement_changes_the_good_and_is_written_down(
    client: httpx2.AsyncClient, connection: Any, reason: str
) -> None:
    good = await create(client, stock=5)
    answer = await move(client, good["id"], -2, reason=reason, reference="A-1173")
    assert answer.status_code == 201
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["etag"] == f'"{good["id"]}-2"'
    _, stored = await movements(connection, good["id"])
    movement = answer.json()
    assert MOMENT.fullmatch(movement["created_at"])
    changed = await read(client, good["id"])
    assert movement == {
        "id": stored["id"],
        "goods_id": good["id"],
        "goods_version": 2,
        "delta": -2,
        "balance": 3,
        "reason": reason,
        "reference": "A-1173",
        "actor": "anonymous",
        "created_at": changed["updated_at"],
    }
    assert [stored[name] for name in list(movement)[:-1]] == list(movement.values())[:-1]
    assert changed == {**good, "stock": 3, "version": 2, "updated_at": changed["updated_at"]}


async def test_a_movement_is_one_change_of_the_good(client: httpx2.AsyncClient, connection: Any) -> None:
    good = await create(client, sku="A", stock=5)
    answer = await move(client, good["id"], 7, reason="receipt")
    entry = (await changes(connection, good["id"]))[-1]
    assert (entry["operation"], entry["version"], entry["sku"], entry["actor"]) == ("stock", 2, "A", "anonymous")
    assert entry["request_id"] == answer.headers["x-request-id"]
    assert (entry["before"], entry["after"]) == (good, await read(client, good["id"]))


async def test_the_reference_may_be_left_out(client: httpx2.AsyncClient) -> None:
    good = await create(client)
    assert (await move(client, good["id"], 1)).json()["reference"] == ""


@pytest.mark.parametrize("reference", ["", "x" * 200, "Ünïcödé / 7 'quoted' \"so\"", "👩‍👩‍👧‍👦"])
async def test_the_reference_is_kept_as_it_came(client: httpx2.AsyncClient, reference: str) -> None:
    good = await create(client)
    assert (await move(client, good["id"], 1, reference=reference)).json()["reference"] == reference


@pytest.mark.parametrize(("stock", "delta"), [(0, 1), (0, MOST), (MOST, -MOST), (1, -1), (MOST - 1, 1), (5, 3.0)])
async def test_the_bounds_can_be_reached(client: httpx2.AsyncClient, stock: int, delta: float) -> None:
    good = await create(client, stock=stock)
    answer = await move(client, good["id"], delta)
    assert answer.status_code == 201, answer.text
    assert answer.json()["balance"] == (await read(client, good["id"]))["stock"] == stock + delta


@pytest.mark.parametrize(("stock", "delta"), [(0, -1), (5, -6), (0, -MOST - 1), (MOST, -MOST - 1)])
async def test_what_is_not_there_can_not_go(
    client: httpx2.AsyncClient, connection: Any, stock: int, delta: int
) -> None:
    good = await create(client, stock=stock)
    errors = assert_problem(
        await move(client, good["id"], delta), 409, "stock-too-low", requested=-delta, available=stock
    )
    assert places(errors) == ["#/delta"]
    assert await read(client, good["id"]) == good
    assert len(await changes(connection, good["id"])) == 1


@pytest.mark.parametrize(("stock", "delta"), [(MOST, 1), (1, MOST), (MOST, MOST)])
async def test_a_good_has_no_more_pieces_than_can_be_counted(
    client: httpx2.AsyncClient, connection: Any, stock: int, delta: int
) -> None:
    good = await create(client, stock=stock)
    errors = assert_problem(await move(client, good["id"], delta), 409, "stock-too-high")
    assert places(errors) == ["#/delta"]
    assert await read(client, good["id"]) == good
    assert len(await changes(connection, good["id"])) == 1


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"delta": 0, "reason": "sale"}, "#/delta"),
        ({"delta": MOST + 1, "reason": "sale"}, "#/delta"),
        ({"delta": -MOST - 2, "reason": "sale"}, "#/delta"),
        ({"delta": 10**30, "reason": "sale"}, "#/delta"),
        ({"delta": 1.5, "reason": "sale"}, "#/delta"),
        ({"delta": "1", "reason": "sale"}, "#/delta"),
        ({"delta": True, "reason": "sale"}, "#/delta"),
        ({"delta": None, "reason": "sale"}, "#/delta"),
        ({"reason": "sale"}, "#/delta"),
        ({"delta": 1}, "#/reason"),
        *(({"delta": 1, "reason": reason}, "#/reason") for reason in ("", "Sale", "initial", "delete", "undo", None)),
        ({"delta": 1, "reason": "sale", "reference": "x" * 201}, "#/reference"),
        ({"delta": 1, "reason": "sale", "reference": "a\0"}, "#/reference"),
        ({"delta": 1, "reason": "sale", "reference": None}, "#/reference"),
        ({"delta": 1, "reason": "sale", "balance": 3}, "#/balance"),
        ([], "#"),
    ],
)
async def test_what_is_no_movement_is_refused(
    client: httpx2.AsyncClient, connection: Any, body: Any, place: str
) -> None:
    good = await create(client, stock=1)
    answer = await client.post(f"/goods/{good['id']}/stock", json=body)
    assert places(assert_problem(answer, 422, "invalid-input")) == [place]
    assert len(await changes(connection, good["id"])) == 1


@pytest.mark.parametrize("goods_id", [0, -1, 99, 2**63 - 1, 2**63, 10**40])
async def test_a_good_that_is_not_there_has_no_stock(client: httpx2.AsyncClient, goods_id: int) -> None:
    assert_problem(await move(client, goods_id, 1), 404, "goods-not-found")


async def test_a_deleted_good_has_no_stock(client: httpx2.AsyncClient) -> None:
    good = await create(client)
    await client.delete(f"/goods/{good['id']}")
    assert_problem(await move(client, good["id"], 1), 404, "goods-not-found")


async def test_conditions_are_judged_before_the_stock(client: httpx2.AsyncClient) -> None:
    good = await create(client, stock=1)
    tag, other = f'"{good["id"]}-1"', f'"{good["id"]}-2"'
    for headers in ({"If-Match": other}, {"If-None-Match": tag}, {"If-None-Match": "*"}):
        assert_problem(await move(client, good["id"], -9, headers=headers), 412, "precondition-failed")
    assert (await move(client, good["id"], -1, headers={"If-Match": tag})).status_code == 201
    assert (await move(client, good["id"], 1, headers={"If-None-Match": tag})).status_code == 201
    assert_problem(await move(client, 99, 1, headers={"If-Match": tag}), 404, "goods-not-found")


async def test_the_same_movement_again_is_another_unless_it_has_a_key(
    client: httpx2.AsyncClient, connection: Any
) -> None:
    good = await create(client, stock=5)
    key = {"Idempotency-Key": "order-1173"}
    first, again = [await move(client, good["id"], -2, headers=key) for _ in range(2)]
    assert (again.status_code, again.text, again.headers["etag"]) == (201, first.text, first.headers["etag"])
    assert "idempotency-replayed" in again.headers
    assert "idempotency-replayed" not in first.headers
    await move(client, good["id"], -2)
    assert [row["balance"] for row in await movements(connection, good["id"])] == [5, 3, 1]
    assert_problem(await move(client, good["id"], -2), 409, "stock-too-low", requested=2, available=1)


async def test_movements_are_counted_by_their_reason(client: httpx2.AsyncClient) -> None:
    async def counts() -> dict[str, float]:
        every = ("initial", *REASONS, "delete")
        return {reason: await counted(client, "goods_stock_movements_total", reason=reason) for reason in every}

    before = await counts()
    low = await counted(client, "goods_stock_refused_total", reason="sale")
    refused = await counted(client, "goods_operations_total", operation="stock", result="refused")
    updated = await counted(client, "goods_updated_total")
    good, empty = await create(client, stock=5), await create(client)
    await move(client, good["id"], -2)
    await move(client, good["id"], 2, reason="return")
    await move(client, good["id"], -9)
    assert await counted(client, "goods_updated_total") == updated
    await client.patch(f"/goods/{good['id']}", json={"stock": 8})
    await client.patch(f"/goods/{good['id']}", json={"stock": 8, "name": "New"})
    await client.put(f"/goods/{good['id']}", json={"name": "a", "price": "1", "stock": 9})
    bulk = {"items": [{"sku": good["sku"], "stock": 1}, {"sku": "B", "name": "b", "price": 1, "stock": 1}]}
    await client.post("/goods/bulk", json=bulk)
    await client.delete(f"/goods/{good['id']}", headers={"If-Match": '"0"'})
    for each in (good, empty):
        await client.delete(f"/goods/{each['id']}")
    after = await counts()
    added = {reason: after[reason] - before[reason] for reason in after if after[reason] != before[reason]}
    assert added == {"initial": 2, "sale": 1, "return": 1, "count": 3, "delete": 1}
    assert await counted(client, "goods_stock_refused_total", reason="sale") == low + 1
    assert await counted(client, "goods_operations_total", operation="stock", result="refused") == refused + 1
