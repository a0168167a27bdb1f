"""GET /changes: every change once, in one order, page by page."""

import asyncio
import random
from typing import Any

import httpx2
import pytest

from tests.api.support import MOMENT, assert_problem, counted, create, places, read
from tests.proof.replay import replayed


async def feed(client: httpx2.AsyncClient, after: str | None = None, *, limit: int = 500) -> list[dict[str, Any]]:
    """Everything that the feed has after a cursor."""
    entries: list[dict[str, Any]] = []
    for _ in range(1000):
        query: dict[str, str | int] = {"limit": limit} | ({} if after is None else {"after": after})
        answer = await client.get("/changes", params=query)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert set(page) == {"items", "next", "more"}
        entries += page["items"]
        if not page["more"]:
            return entries
        after = page["next"]
    message = "the feed does not end"
    raise AssertionError(message)


async def everything(client: httpx2.AsyncClient) -> list[dict[str, Any]]:
    """A change of every kind; the goods that are left."""
    one = await create(client, sku="ONE", stock=5, description="d", category="c")
    two = await create(client, sku="TWO")
    await client.put(f"/goods/{two['id']}", json={"sku": "ZWO", "name": "other", "price": 2})
    await client.patch(f"/goods/{one['id']}", json={"stock": 9})
    await client.patch(f"/goods/{one['id']}", json={"stock": 9})  # without effect
    await client.post(f"/goods/{one['id']}/stock", json={"delta": -2, "reason": "sale"})
    await client.post(
        "/stock", json={"lines": [{"sku": "ONE", "delta": 1}, {"sku": "ZWO", "delta": 3}], "reason": "count"}
    )
    await client.post(
        "/goods/bulk", json={"items": [{"sku": "ONE", "price": 3}, {"sku": "NEW", "name": "n", "price": 1}]}
    )
    await client.delete(f"/goods/{two['id']}")
    listed: list[dict[str, Any]] = (await client.get("/goods")).json()["items"]
    return listed


async def test_an_empty_feed_has_a_cursor_too(client: httpx2.AsyncClient) -> None:
    for query in ("", "?after=0", "?after=latest"):
        answer = await client.get(f"/changes{query}")
        assert answer.json() == {"items": [], "next": "0", "more": False}
        assert answer.links["next"]["url"] == "/changes?after=0"


async def test_an_entry_says_who_changed_what_when_and_in_which_request(client: httpx2.AsyncClient) -> None:
    good = await create(client, sku="A", stock=1)
    await client.patch(f"/goods/{good['id']}", json={"price": 2}, headers={"X-Request-ID": "mine"})
    after = await read(client, good["id"])
    await client.delete(f"/goods/{good['id']}")
    created, updated, deleted = await feed(client)
    assert MOMENT.fullmatch(deleted.pop("at"))
    assert updated == {
        "position": 2, "goods_id": good["id"], "sku": "A", "operation": "update", "version": 2, "before": good,
        "after": after, "actor": "anonymous", "request_id": "mine", "at": after["updated_at"],
    }  # fmt: skip
    assert (created["operation"], created["before"], created["after"]) == ("create", None, good)
    assert (deleted["operation"], deleted["before"], deleted["after"], deleted["version"]) == ("delete", after, None, 3)


async def test_every_kind_of_change_is_in_it_and_replaying_it_rebuilds_the_goods(client: httpx2.AsyncClient) -> None:
    goods = await everything(client)
    entries = await feed(client)
    assert [entry["position"] for entry in entries] == list(range(1, len(entries) + 1))
    assert [(entry["sku"], entry["operation"], entry["version"]) for entry in entries if entry["sku"] != "NEW"] == [
        ("ONE", "create", 1), ("TWO", "create", 1), ("ZWO", "update", 2), ("ONE", "update", 2), ("ONE", "stock", 3),
        ("ONE", "stock", 4), ("ZWO", "stock", 3), ("ONE", "update", 5), ("ZWO", "delete", 4),
    ]  # fmt: skip
    assert replayed(entries) == goods


@pytest.mark.parametrize("limit", [1, 2, 9, 500])
async def test_pages_meet_every_change_once(client: httpx2.AsyncClient, limit: int) -> None:
    await everything(client)
    whole = await feed(client)
    assert await feed(client, limit=limit) == whole
    first = await client.get("/changes", params={"limit": limit})
    assert await feed(client, first.json()["next"], limit=limit) == whole[limit:]
    assert first.json()["more"] is (limit < len(whole))


async def test_latest_is_now(client: httpx2.AsyncClient) -> None:
    await everything(client)
    now = (await client.get("/changes?after=latest")).json()
    assert (now["items"], now["more"]) == ([], False)
    assert await feed(client, now["next"]) == []
    good = await create(client)
    [entry] = await feed(client, now["next"])
    assert entry["after"] == good


async def test_what_was_acknowledged_is_in_it(client: httpx2.AsyncClient) -> None:
    async def write_and_look() -> None:
        good = await create(client)
        cursor = "0"
        while True:
            page = (await client.get("/changes", params={"after": cursor, "limit": 500})).json()
            if any(entry["goods_id"] == good["id"] for entry in page["items"]):
                return
            assert page["more"], "an acknowledged change is not in the feed"
            cursor = page["next"]

    await asyncio.gather(*(write_and_look() for _ in range(60)))


async def test_a_follower_meets_each_change_of_many_writers_once_and_in_order(client: httpx2.AsyncClient) -> None:
    goods = [await create(client, stock=100) for _ in range(5)]
    done = asyncio.Event()

    async def write(chance: random.Random) -> None:
        for _ in range(30):
            good = chance.choice(goods)
            await client.post(f"/goods/{good['id']}/stock", json={"delta": 1, "reason": "receipt"})

    async def follow() -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = []
        cursor = "0"
        while True:
            last = done.is_set()
            page = (await client.get("/changes", params={"after": cursor, "limit": 7})).json()
            entries += page["items"]
            cursor = page["next"]
            if last and not page["more"]:
                return entries

    following = asyncio.create_task(follow())
    await asyncio.gather(*(write(random.Random(n)) for n in range(8)))
    done.set()
    entries = await following
    assert [entry["position"] for entry in entries] == list(range(1, 5 + 8 * 30 + 1))
    assert replayed(entries) == (await client.get("/goods")).json()["items"]


@pytest.mark.parametrize("cursor", ["1", "1042", "9223372036854775807"])
async def test_a_cursor_ahead_of_the_feed_is_gone(client: httpx2.AsyncClient, cursor: str) -> None:
    assert_problem(await client.get(f"/changes?after={cursor}"), 410, "cursor-gone")


@pytest.mark.parametrize(
    ("query", "place"),
    [
        ("after=", "after"), ("after=-1", "after"), ("after=x", "after"), ("after=1.0", "after"),
        ("after=9223372036854775808", "after"), ("after=%D9%A1", "after"), ("after=Latest", "after"),
        ("limit=0", "limit"), ("limit=501", "limit"), ("q=x", "q"), ("after=0&after=0", "after"),
    ],
)  # fmt: skip
async def test_what_can_not_be_asked_for_is_refused(client: httpx2.AsyncClient, query: str, place: str) -> None:
    assert places(assert_problem(await client.get(f"/changes?{query}"), 422, "invalid-input")) == [place]


async def test_it_is_counted(client: httpx2.AsyncClient) -> None:
    async def counts() -> list[float]:
        return [
            await counted(client, "goods_operations_total", operation="changes", result=result)
            for result in ("ok", "not_found")
        ]

    before, numbered = await counts(), await counted(client, "goods_feed_numbered_total")
    await create(client)
    await client.get("/changes")
    await client.get("/changes?after=77")
    assert [now - then for now, then in zip(await counts(), before, strict=True)] == [1, 1]
    assert await counted(client, "goods_feed_numbered_total") - numbered == 1
    assert await counted(client, "goods_feed_position") == 1
    assert await counted(client, "goods_feed_lag_seconds") >= 0
