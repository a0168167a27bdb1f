"""GET /goods/{id}/history, and goods as they were (`as_of`)."""

from datetime import datetime, timedelta
from typing import Any

import httpx2
import pytest

from tests.api.support import all_pages, assert_problem, counted, create, places, read
from tests.api.test_changes import feed


def moment(good: dict[str, Any], field: str = "updated_at", *, microseconds: int = 0) -> str:
    """A time of a good, moved a little."""
    at = datetime.fromisoformat(good[field]) + timedelta(microseconds=microseconds)
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")


async def test_it_has_what_the_feed_has_of_the_good_newest_first(client: httpx2.AsyncClient) -> None:
    good, other = await create(client, sku="A", stock=5), await create(client)
    path = f"/goods/{good['id']}"
    await client.patch(path, json={"name": "n"})
    await client.patch(f"/goods/{other['id']}", json={"name": "n"})
    await client.post(f"{path}/stock", json={"delta": -1, "reason": "sale"})
    await client.delete(path)
    whole = await feed(client)
    answer = await client.get(f"{path}/history")
    assert set(answer.json()) == {"items", "next"}
    assert answer.json()["items"] == [entry for entry in reversed(whole) if entry["goods_id"] == good["id"]]
    assert [entry["operation"] for entry in answer.json()["items"]] == ["delete", "stock", "update", "create"]
    for limit in (1, 3, 4):
        assert await all_pages(client, f"{path}/history", {"limit": limit}) == answer.json()["items"]


async def test_it_does_not_wait_for_numbers(client: httpx2.AsyncClient, connection: Any) -> None:
    good = await create(client)
    async with connection.transaction():
        # While the feed can't be numbered, history goes on.
        await connection.execute("SELECT pg_advisory_xact_lock(7164212804591183201)")
        await client.patch(f"/goods/{good['id']}", json={"name": "n"})
        [newest, _] = (await client.get(f"/goods/{good['id']}/history")).json()["items"]
        assert (newest["version"], newest["position"]) == (2, None)


async def test_a_good_that_never_was_is_not_found(client: httpx2.AsyncClient) -> None:
    for goods_id in (0, -1, 99, 2**63, 10**40):
        assert_problem(await client.get(f"/goods/{goods_id}/history"), 404, "goods-not-found")
    good, other = await create(client), await create(client)
    await client.patch(f"/goods/{good['id']}", json={"name": "n"})
    token = (await client.get(f"/goods/{good['id']}/history?limit=1")).json()["next"]
    answer = await client.get(f"/goods/{other['id']}/history?after={token}")
    assert places(assert_problem(answer, 422, "invalid-input")) == ["after"]


async def test_a_good_is_given_as_it_was(client: httpx2.AsyncClient) -> None:
    first = await create(client, sku="A/1", stock=5)
    path = f"/goods/{first['id']}"
    second = (await client.patch(path, json={"name": "second", "price": 1})).json()
    await client.post(f"{path}/stock", json={"delta": -1, "reason": "sale"})
    third = await read(client, first["id"])
    await client.delete(path)
    [deleted, *_] = (await client.get(f"{path}/history")).json()["items"]
    assert_problem(await client.get(path), 404, "goods-not-found")
    for as_of, expected in (
        (moment(first), first),
        (moment(second, microseconds=-1), first),
        (moment(second), second),
        (moment(third, microseconds=-1), second),
        (moment(third), third),
        (moment(deleted, "at", microseconds=-1), third),
    ):
        for place in (path, "/goods/by-sku/A/1"):
            answer = await client.get(place, params={"as_of": as_of})
            assert answer.json() == expected
            assert answer.headers["etag"] == f'"{expected["id"]}-{expected["version"]}"'
            again = await client.get(place, params={"as_of": as_of}, headers={"If-None-Match": answer.headers["etag"]})
            assert again.status_code == 304
    for as_of in (
        moment(first, microseconds=-1),
        moment(deleted, "at"),
        "2999-01-01T00:00:00Z",
        "0001-01-01T00:00:00Z",
    ):
        for place in (path, "/goods/by-sku/A/1"):
            assert_problem(await client.get(place, params={"as_of": as_of}), 404, "goods-not-found")


async def test_a_good_that_is_there_is_given_as_it_is_for_any_later_moment(client: httpx2.AsyncClient) -> None:
    good = await create(client, sku="A")
    for as_of in (good["created_at"], "2999-01-01T00:00:00+02:00", "9999-12-31T23:59:59.999999Z"):
        for path in (f"/goods/{good['id']}", "/goods/by-sku/A"):
            assert (await client.get(path, params={"as_of": as_of})).json() == good
            # A bare + in a query is a space: who means an offset gets it.
            assert (await client.get(f"{path}?as_of={as_of}")).json() == good


async def test_a_sku_is_followed_through_the_hands_that_it_went_through(client: httpx2.AsyncClient) -> None:
    one = await create(client, sku="X", name="one")
    renamed = (await client.patch(f"/goods/{one['id']}", json={"sku": "Y"})).json()
    two = await create(client, sku="X", name="two")
    await client.delete(f"/goods/{two['id']}")
    [gone, *_] = (await client.get(f"/goods/{two['id']}/history")).json()["items"]
    three = (await client.patch(f"/goods/{one['id']}", json={"sku": "X"})).json()
    # Whatever else happened to it since: the SKU stays its own.
    await client.patch(f"/goods/{one['id']}", json={"name": "later"})

    async def by_sku(sku: str, as_of: str) -> Any:
        answer = await client.get(f"/goods/by-sku/{sku}", params={"as_of": as_of})
        return answer.json() if answer.status_code == 200 else answer.status_code

    assert await by_sku("X", moment(one, microseconds=-1)) == 404
    assert await by_sku("X", moment(one)) == one
    assert await by_sku("X", moment(renamed)) == 404
    assert await by_sku("Y", moment(renamed)) == renamed
    assert await by_sku("X", moment(two)) == two
    assert await by_sku("Y", moment(two)) == renamed
    assert await by_sku("X", moment(gone, "at")) == 404
    assert await by_sku("X", moment(three)) == three
    assert await by_sku("Y", moment(three)) == 404
    assert await by_sku("Z", moment(three)) == 404


@pytest.mark.parametrize("value", ["", "now", "2026-11-23", "2026-11-23T10:00:00", "2026-11-23 10:00", "1", "é", "\0"])
@pytest.mark.parametrize("path", ["/goods/1", "/goods/by-sku/A"])
async def test_what_is_no_moment_is_refused(client: httpx2.AsyncClient, path: str, value: str) -> None:
    answer = await client.get(path, params={"as_of": value})
    assert places(assert_problem(answer, 422, "invalid-input")) == ["as_of"]


async def test_both_are_counted(client: httpx2.AsyncClient) -> None:
    async def counts() -> list[float]:
        return [
            await counted(client, "goods_operations_total", operation=operation, result=result)
            for operation in ("history", "as_of")
            for result in ("ok", "not_found")
        ]

    before = await counts()
    good = await create(client)
    for goods_id in (good["id"], 99):
        await client.get(f"/goods/{goods_id}/history")
        await client.get(f"/goods/{goods_id}?as_of=2999-01-01T00:00:00Z")
    assert [now - then for now, then in zip(await counts(), before, strict=True)] == [1, 1, 1, 1]
