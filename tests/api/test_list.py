"""GET /goods: orders, filters, counts and parameters, against a reference in Python."""

import asyncio
import random
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import httpx2
import pytest

from tests.api.support import all_pages, assert_problem, counted, create, places
from tests.conftest import Service

Good = dict[str, Any]
Key = Callable[[Good], Any]

SORTS: dict[str, Key] = {
    "id": lambda good: good["id"],
    "name": lambda good: good["name"],  # Python compares texts by code point
    "price": lambda good: Decimal(good["price"]),
    "stock": lambda good: good["stock"],
    "created_at": lambda good: good["created_at"],
    "updated_at": lambda good: good["updated_at"],
}
NAMES = [
    "lantern", "Lantern", "LANTERN", "lantern ", "Ключ", "ключ", "Яблоко", "ёлка", "zebra", "Zebra", "_", "~", "10",
    "9", "é", "e\u0301", "日本", "🏮", "\uffff", "\U0010ffff", "a\tb", '"', "\\", "a" * 200, "🏮" * 200, "\x01" * 200,
]  # fmt: skip


def ordered(goods: Iterable[Good], sort: str) -> list[Good]:
    """The reference: by the key, and equal keys by id, both in the direction of the sort."""
    key = SORTS[sort.removeprefix("-")]
    return sorted(goods, key=lambda good: (key(good), good["id"]), reverse=sort.startswith("-"))


@pytest.fixture
async def goods(client: httpx2.AsyncClient) -> list[Good]:
    """Goods with many equal keys, changed in another order than they were made."""
    chosen = random.Random(7)
    wanted: list[Good] = [
        {
            "sku": f"L-{n}",
            "name": name,
            "category": chosen.choice(["", "Lighting", "lighting", "Свет"]),
            "price": chosen.choice(["0", "0.01", "9.99", "10", "10.00", "100", "9999999999.99"]),
            "stock": chosen.choice([0, 0, 1, 5, 2_147_483_647]),
        }
        for n, name in enumerate([*NAMES, *chosen.sample(NAMES, 14)])
    ]
    # Four at a time: their moment of creation is one, that of their transaction.
    for start in range(0, len(wanted), 4):
        answer = await client.post("/goods/bulk", json={"items": wanted[start : start + 4]})
        assert answer.status_code == 200
    made: list[Good] = (await client.get("/goods?limit=500")).json()["items"]
    assert len(made) == len(wanted)
    changing = chosen.sample(made, 15)
    answers = await asyncio.gather(
        *(client.patch(f"/goods/{good['id']}", json={"description": "changed"}) for good in changing)
    )
    for good, answer in zip(changing, answers, strict=True):
        good.update(answer.json())
    return made


@pytest.mark.parametrize("sort", [*SORTS, *(f"-{sort}" for sort in SORTS)])
async def test_every_order_is_the_reference_whatever_the_page(
    client: httpx2.AsyncClient, connection: Any, goods: list[Good], sort: str
) -> None:
    if sort.endswith("_at"):  # make ties
        await connection.execute("UPDATE goods SET created_at = created_at - (id % 3) * interval '1 day'")
        await connection.execute("UPDATE goods SET updated_at = date_trunc('day', updated_at) WHERE id % 2 = 0")
        goods = (await client.get("/goods", params={"limit": 500})).json()["items"]
    expected = ordered(goods, sort)
    assert (await client.get("/goods", params={"sort": sort, "limit": 500})).json() == {
        "items": expected,
        "next": None,
        "count": None,
    }
    for limit in (1, 2, 3, 4, 5, 6, 7):
        assert await all_pages(client, "/goods", {"sort": sort, "limit": limit}) == expected


async def test_the_default_is_fifty_by_id(client: httpx2.AsyncClient) -> None:
    made = [await create(client) for _ in range(51)]
    answer = await client.get("/goods")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["items"] == made[:50]
    assert set(answer.json()) == {"items", "next", "count"}
    rest = await client.get("/goods", params={"after": answer.json()["next"]})
    assert rest.json() == {"items": made[50:], "next": None, "count": None}
    assert "link" not in rest.headers


async def test_a_full_last_page_has_no_next(client: httpx2.AsyncClient) -> None:
    made = [await create(client) for _ in range(4)]
    page = (await client.get("/goods", params={"limit": 4})).json()
    assert (page["items"], page["next"]) == (made, None)


async def test_an_empty_catalogue_is_an_empty_page(client: httpx2.AsyncClient) -> None:
    for count, number in (("none", None), ("estimated", 0), ("exact", 0)):
        page = (await client.get("/goods", params={"count": count})).json()
        assert page == {"items": [], "next": None, "count": number}


FILTERS: list[tuple[dict[str, str], Callable[[Good], bool]]] = [
    ({"category": "Lighting"}, lambda good: good["category"] == "Lighting"),
    ({"category": ""}, lambda good: good["category"] == ""),
    ({"category": "Свет"}, lambda good: good["category"] == "Свет"),
    ({"category": "none of them"}, lambda _: False),
    ({"min_price": "9.99"}, lambda good: Decimal(good["price"]) >= Decimal("9.99")),
    ({"max_price": "9.99"}, lambda good: Decimal(good["price"]) <= Decimal("9.99")),
    ({"min_price": "10", "max_price": "10.0"}, lambda good: Decimal(good["price"]) == 10),
    ({"min_price": "9999999999.99"}, lambda good: good["price"] == "9999999999.99"),
    ({"min_price": "11", "max_price": "10"}, lambda _: False),
    ({"in_stock": "true"}, lambda good: good["stock"] > 0),
    ({"in_stock": "false"}, lambda good: good["stock"] == 0),
    (
        {"category": "lighting", "min_price": "0.01", "max_price": "100", "in_stock": "true"},
        lambda good: good["category"] == "lighting" and 0 < Decimal(good["price"]) <= 100 and good["stock"] > 0,
    ),
]


@pytest.mark.parametrize(("query", "matches"), FILTERS, ids=[str(query) for query, _ in FILTERS])
async def test_filters_are_exact_and_their_bounds_belong_to_them(
    client: httpx2.AsyncClient, goods: list[Good], query: dict[str, str], matches: Callable[[Good], bool]
) -> None:
    expected = [good for good in goods if matches(good)]
    for sort in ("id", "-price", "name"):
        for limit in (3, 500):
            found = await all_pages(client, "/goods", {**query, "sort": sort, "limit": limit})
            assert found == ordered(expected, sort)
    page = (await client.get("/goods", params={**query, "limit": 1, "count": "exact"})).json()
    assert page["count"] == len(expected)


async def test_counts_are_given_when_they_are_asked_for(client: httpx2.AsyncClient, connection: Any) -> None:
    for n in range(30):
        await create(client, stock=n % 2)
    await connection.execute("ANALYZE goods")
    for sort in ("id", "-name"):
        query = {"limit": 10, "sort": sort, "count": "exact"}
        first = (await client.get("/goods", params=query)).json()
        second = (await client.get("/goods", params={**query, "after": first["next"]})).json()
        last = (await client.get("/goods", params={**query, "after": second["next"]})).json()
        assert [page["count"] for page in (first, second, last)] == [30, 30, 30]
    assert (await client.get("/goods", params={"limit": 1, "count": "none"})).json()["count"] is None
    estimated = (await client.get("/goods", params={"limit": 1, "count": "estimated"})).json()["count"]
    assert 15 <= estimated <= 60
    query = {"limit": 1, "count": "estimated", "in_stock": "true", "max_price": "100"}
    assert 0 <= (await client.get("/goods", params=query)).json()["count"] <= 60
    query = {"limit": 1, "count": "exact", "in_stock": "true", "max_price": "100"}
    assert (await client.get("/goods", params=query)).json()["count"] == 15


@pytest.mark.parametrize("path", ["/goods", "/goods/"])
async def test_the_link_header_leads_through_all_pages(client: httpx2.AsyncClient, service: Service, path: str) -> None:
    made = [await create(client, category="a&b=c/ü") for _ in range(7)]
    seen: list[Good] = []
    url: str | None = f"{path}?limit=3&category={quote('a&b=c/ü', safe='')}&sort=-name&count=exact&min_price=1"
    while url is not None:
        answer = await client.get(service.url + url)
        page = answer.json()
        assert page["count"] == 7
        seen += page["items"]
        link = answer.links.get("next")
        url = None if link is None else link["url"]
        assert (url is None) is (page["next"] is None)
        assert url is None or url.startswith("/goods")
    assert seen == ordered(made, "-name")


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("limit=0", "limit"), ("limit=501", "limit"), ("limit=-1", "limit"), ("limit=abc", "limit"),
        ("limit=", "limit"), ("limit=1e1", "limit"), ("limit=1_0", "limit"), ("limit=%2B1", "limit"),
        ("limit=5.0", "limit"), ("limit=" + "9" * 5000, "limit"), ("limit=%D9%A1", "limit"),
        ("min_price=NaN", "min_price"), ("min_price=Infinity", "min_price"), ("min_price=1e999999", "min_price"),
        ("min_price=1e1", "min_price"), ("min_price=1.005", "min_price"), ("max_price=-1", "max_price"),
        ("max_price=-0", "max_price"), ("max_price=10000000000", "max_price"), ("max_price=", "max_price"),
        ("max_price=%D9%A1", "max_price"), ("min_price=1%0A", "min_price"),
        ("in_stock=yes", "in_stock"), ("in_stock=True", "in_stock"), ("in_stock=", "in_stock"),
        ("in_stock=1", "in_stock"),
        ("sort=sku", "sort"), ("sort=%2Bid", "sort"), ("sort=--id", "sort"), ("sort=", "sort"), ("sort=ID", "sort"),
        ("count=yes", "count"), ("count=", "count"), ("category=a%00b", "category"),
        ("category=" + "x" * 101, "category"),
        ("offset=5", "offset"), ("Limit=5", "Limit"), ("limit=5&limit=5", "limit"), ("sort=id&sort=name", "sort"),
        ("category=a&category=b", "category"), ("goods_id=1", "goods_id"), ("=5", ""), ("after=&after=", "after"),
        ("after=a%00b", "after"), ("a" * 200 + "=1", "a" * 100 + "..."), ("category=%FF", "query"), ("%FF=1", "query"),
        ("category=%ED%A0%80", "query"), ("&".join(f"p{n}=1" for n in range(60)), "query"),
    ],
    ids=lambda value: value[:30],
)  # fmt: skip
async def test_a_parameter_that_is_not_understood_is_refused(
    client: httpx2.AsyncClient, service: Service, query: str, parameter: str
) -> None:
    errors = assert_problem(await client.get(f"{service.url}/goods?{query}"), 422, "invalid-input")
    assert [error["parameter"] for error in errors] == [parameter]


async def test_every_unknown_parameter_is_named(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/goods?colour=red&size=hunter2&limit=x")
    errors = assert_problem(answer, 422, "invalid-input")
    assert {"colour", "size"} <= set(places(errors))
    assert "hunter2" not in answer.text


async def test_lists_are_counted(client: httpx2.AsyncClient) -> None:
    before = await counted(client, "goods_operations_total", operation="list", result="ok")
    invalid = await counted(client, "goods_operations_total", operation="list", result="invalid")
    await client.get("/goods")
    await client.get("/goods?after=nonsense")
    assert await counted(client, "goods_operations_total", operation="list", result="ok") == before + 1
    assert await counted(client, "goods_operations_total", operation="list", result="invalid") == invalid + 1
