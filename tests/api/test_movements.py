"""GET /goods/{id}/stock/movements: the ledger of a good."""

from typing import Any

import httpx2
import pytest

from tests.api.support import all_pages, assert_problem, counted, create, places


async def move(client: httpx2.AsyncClient, goods_id: int, *deltas: int, reason: str = "sale") -> None:
    for delta in deltas:
        answer = await client.post(f"/goods/{goods_id}/stock", json={"delta": delta, "reason": reason})
        assert answer.status_code == 201, answer.text


async def test_everything_that_changes_stock_is_in_it_newest_first(client: httpx2.AsyncClient) -> None:
    good = await create(client, sku="A", stock=5)
    path = f"/goods/{good['id']}"
    await move(client, good["id"], -2)
    await client.patch(path, json={"stock": 9})
    await client.patch(path, json={"name": "without effect on the stock"})
    await client.post("/stock", json={"lines": [{"sku": "A", "delta": 1}], "reason": "return", "reference": "R"})
    await client.delete(path)
    answer = await client.get(f"{path}/stock/movements")
    assert answer.status_code == 200
    assert set(answer.json()) == {"items", "next"}
    assert answer.json()["next"] is None
    assert "link" not in answer.headers
    items = answer.json()["items"]
    assert [(m["reason"], m["delta"], m["balance"], m["goods_version"], m["reference"]) for m in items] == [
        ("delete", -10, 0, 6, ""),
        ("return", 1, 10, 5, "R"),
        ("count", 6, 9, 3, ""),
        ("sale", -2, 3, 2, ""),
        ("initial", 5, 5, 1, ""),
    ]
    assert {m["goods_id"] for m in items} == {good["id"]}


async def test_pages_meet_every_movement_once(client: httpx2.AsyncClient) -> None:
    good, other = await create(client, stock=1), await create(client, stock=1)
    for _ in range(7):
        await move(client, good["id"], 2)
        await move(client, other["id"], 1, reason="receipt")
    path = f"/goods/{good['id']}/stock/movements"
    whole = (await client.get(path)).json()["items"]
    assert [m["balance"] for m in whole] == list(range(15, 0, -2))
    for limit in (1, 3, 8, 9):
        assert await all_pages(client, path, {"limit": limit}) == whole
    first = await client.get(f"{path}?limit=3&reason=sale")
    assert first.links["next"]["url"] == f"{path}?limit=3&reason=sale&after={first.json()['next']}"
    # What comes meanwhile is newer than what has been read, so it moves nothing on the pages to come.
    await move(client, good["id"], 5)
    second = await client.get(first.links["next"]["url"])
    assert second.json()["items"] == whole[3:6]


async def test_movements_can_be_asked_for_by_their_reason(client: httpx2.AsyncClient) -> None:
    good = await create(client, stock=1)
    await move(client, good["id"], 1, 2, reason="receipt")
    await move(client, good["id"], -1)
    path = f"/goods/{good['id']}/stock/movements"
    found = await all_pages(client, path, {"reason": "receipt", "limit": 1})
    assert [m["delta"] for m in found] == [2, 1]
    assert (await client.get(f"{path}?reason=undo")).json() == {"items": [], "next": None}


async def test_a_good_that_never_was_has_none_and_is_not_found(client: httpx2.AsyncClient) -> None:
    empty = await create(client)
    path = f"/goods/{empty['id']}/stock/movements"
    assert (await client.get(path)).json()["items"] == []
    await client.delete(f"/goods/{empty['id']}")
    assert (await client.get(path)).json()["items"] == []
    for goods_id in (0, -1, 99, 2**63 - 1, 2**63, 10**40):
        assert_problem(await client.get(f"/goods/{goods_id}/stock/movements"), 404, "goods-not-found")


async def test_its_token_belongs_to_one_good_and_one_reason(client: httpx2.AsyncClient) -> None:
    good, other = await create(client, stock=1), await create(client, stock=1)
    await move(client, good["id"], 1, 1)
    path = f"/goods/{good['id']}/stock/movements"
    token = (await client.get(f"{path}?limit=1")).json()["next"]
    for wrong in (f"{path}?reason=sale", f"/goods/{other['id']}/stock/movements?", "/categories?"):
        answer = await client.get(f"{wrong}&after={token}")
        assert places(assert_problem(answer, 422, "invalid-input")) == ["after"]


@pytest.mark.parametrize(
    ("query", "place"),
    [
        ("limit=0", "limit"), ("limit=501", "limit"), ("reason=", "reason"), ("reason=Sale", "reason"),
        ("after=x", "after"), ("sort=id", "sort"), ("limit=1&limit=1", "limit"),
    ],
)  # fmt: skip
async def test_what_can_not_be_asked_for_is_refused(client: httpx2.AsyncClient, query: str, place: str) -> None:
    good = await create(client)
    answer = await client.get(f"/goods/{good['id']}/stock/movements?{query}")
    assert places(assert_problem(answer, 422, "invalid-input")) == [place]


async def test_it_is_an_operation_of_its_own(client: httpx2.AsyncClient) -> None:
    async def counts() -> list[Any]:
        return [
            await counted(client, "goods_operations_total", operation="movements", result=result)
            for result in ("ok", "not_found", "invalid")
        ]

    before = await counts()
    good = await create(client)
    for path in (f"{good['id']}/stock/movements", "99/stock/movements", f"{good['id']}/stock/movements?after=x"):
        await client.get(f"/goods/{path}")
    assert [now - then for now, then in zip(await counts(), before, strict=True)] == [1, 1, 1]
