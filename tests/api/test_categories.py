"""GET /categories: names and counts."""

from collections import Counter
from typing import Any

import httpx2
import pytest

from tests.api.support import all_pages, assert_problem, create, places

NAMES = ["", "Lighting", "lighting", "Свет", "свет", "🏮" * 100, "\x01" * 100, '"', "\\", "Zinc", "a\nb", "日本"]


async def test_categories_come_by_code_point_with_their_counts(client: httpx2.AsyncClient) -> None:
    made = [await create(client, category=name) for n, name in enumerate(NAMES) for _ in range(n % 3 + 1)]
    counts = Counter(good["category"] for good in made)
    expected = [{"name": name, "count": counts[name]} for name in sorted(counts)]
    answer = await client.get("/categories")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {"items": expected, "next": None}
    for limit in range(1, 8):
        assert await all_pages(client, "/categories", {"limit": limit}) == expected


async def test_the_link_header_leads_to_the_next_categories(client: httpx2.AsyncClient) -> None:
    for name in "abc":
        await create(client, category=name)
    first = await client.get("/categories?limit=2")
    second = await client.get(first.links["next"]["url"])
    assert [item["name"] for item in (*first.json()["items"], *second.json()["items"])] == ["a", "b", "c"]
    assert "link" not in second.headers


async def test_a_category_goes_with_its_last_good(client: httpx2.AsyncClient) -> None:
    good = await create(client, category="Lighting")
    await client.patch(f"/goods/{good['id']}", json={"category": "Lamps"})
    assert (await client.get("/categories")).json()["items"] == [{"name": "Lamps", "count": 1}]
    await client.delete(f"/goods/{good['id']}")
    assert (await client.get("/categories")).json() == {"items": [], "next": None}


async def test_each_listed_category_is_a_filter_that_finds_as_many(client: httpx2.AsyncClient) -> None:
    for n, name in enumerate(NAMES):
        for _ in range(n % 2 + 1):
            await create(client, category=name)
    items: list[dict[str, Any]] = (await client.get("/categories")).json()["items"]
    for item in items:
        page = (await client.get("/goods", params={"category": item["name"], "count": "exact"})).json()
        assert page["count"] == item["count"]


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("limit=0", "limit"), ("limit=501", "limit"), ("limit=abc", "limit"), ("limit=1&limit=1", "limit"),
        ("sort=name", "sort"), ("count=exact", "count"), ("after=", "after"), ("after=abc", "after"),
    ],
)  # fmt: skip
async def test_a_parameter_that_is_not_understood_is_refused(
    client: httpx2.AsyncClient, query: str, parameter: str
) -> None:
    answer = await client.get(f"/categories?{query}")
    assert places(assert_problem(answer, 422, "invalid-input")) == [parameter]
