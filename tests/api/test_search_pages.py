"""Searching page by page: the order, the tokens, and that it does not matter how the goods are read."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.goods.queries import search
from app.goods.queries.filters import fingerprint
from app.goods.schemas.list import GoodsFilter
from app.rest import cursors
from tests.api.support import all_pages, assert_problem, create, places
from tests.api.test_paging import BOTH_WAYS, token_of
from tests.proof.reference_search import CORRECTED, SKU, WORDS, Catalogue, Good


async def ids(client: httpx2.AsyncClient, q: str, **query: Any) -> list[int]:
    """The ids of all goods that are found, page after page."""
    return [good["id"] for good in await all_pages(client, "/goods", {"q": q, **query})]


async def _three_tiers(client: httpx2.AsyncClient) -> list[Good]:
    """Goods of which `lamp` finds some by SKU, some by a word, some by both; and of which `lampp` corrects some."""
    goods = []
    for n in range(14):
        fields: dict[str, Any] = {
            "sku": ("LAMP-" if n % 3 == 0 else "X") + str(n),
            "name": ["Lamp", "Lamps", "Lump", "lamp lamp"][n % 4] + f" {n % 2}",
            "price": f"{n * 7 % 5}.50",
            "stock": n % 3,
            "category": "ab"[n % 2],
        }
        goods.append(Good.of(await create(client, **fields)))
    for good in goods[:4]:
        changed = await client.patch(f"/goods/{good.id}", json={"description": "changed"})
        goods[good.id - 1] = Good.of(changed.json())
    return goods


async def test_the_best_come_first_and_each_tier_in_its_order(client: httpx2.AsyncClient) -> None:
    catalogue = Catalogue(await _three_tiers(client))
    for sort in BOTH_WAYS:
        for q, tiers, limits in (
            ("lamp", {SKU, WORDS, CORRECTED}, (2,)),
            ("lam", {SKU, CORRECTED}, (1, 2, 7)),
            ("lampq", {CORRECTED}, (7,)),
            ("lump", {WORDS}, (500,)),
        ):
            expected = catalogue.find(q, sort=sort)
            assert {found.tier for found in expected} == tiers
            for limit in limits:
                assert await ids(client, q, sort=sort, limit=limit) == [found.id for found in expected]


@pytest.mark.parametrize(
    "filters",
    [
        {"category": "a"},
        {"min_price": "1.5", "max_price": "3.50"},
        {"in_stock": "true"},
        {"in_stock": "false"},
        {"category": "b", "min_price": "2", "in_stock": "true"},
        {"category": "c"},
    ],
)
async def test_search_and_filters_go_together(client: httpx2.AsyncClient, filters: dict[str, str]) -> None:
    catalogue = Catalogue(await _three_tiers(client))
    for q in ("lamp", "lam", "nothing such"):
        expected = [found.id for found in catalogue.find(q, sort="-price", **filters)]
        assert await ids(client, q, sort="-price", limit=3, **filters) == expected
        answer = await client.get("/goods", params={"q": q, "count": "exact", "limit": 1, **filters})
        assert answer.json()["count"] == len(expected)


async def test_a_search_is_counted_on_demand(client: httpx2.AsyncClient) -> None:
    found = len(Catalogue(await _three_tiers(client)).find("lam"))
    assert found > 10
    for count, expected in (("none", None), ("exact", found), ("estimated", found)):
        # Everything is on one page: even the estimate is exact.
        assert (await client.get(f"/goods?q=lam&count={count}")).json()["count"] == expected
    token = None
    for _ in range(2):
        after: dict[str, Any] = {"after": token} if token else {}
        page = (await client.get("/goods", params={"q": "lam", "limit": 5, "count": "exact", **after})).json()
        assert page["count"] == found
        token = page["next"]
    estimated = (await client.get("/goods?q=lam&limit=2&count=estimated")).json()["count"]
    assert isinstance(estimated, int)
    assert estimated >= 0
    assert (await client.get("/goods?q=%21%21&count=exact")).json() == {"items": [], "next": None, "count": 0}


async def test_a_token_belongs_to_its_text(client: httpx2.AsyncClient) -> None:
    await _three_tiers(client)
    token = (await client.get("/goods?q=lamp&limit=2")).json()["next"]
    assert (await client.get(f"/goods?q=lamp&limit=3&after={token}")).status_code == 200
    for query in ("q=lamps", "q=LAMP", "q=lamp&sort=-id", "q=lamp&category=a", "sort=id"):
        answer = await client.get(f"/goods?{query}&after={token}")
        assert places(assert_problem(answer, 422, "invalid-input")) == ["after"], query
    plain = (await client.get("/goods?limit=2")).json()["next"]
    assert_problem(await client.get(f"/goods?q=lamp&after={plain}"), 422, "invalid-input")


@pytest.mark.parametrize("tier", [9, 3, -1, 1.0, 0.0, True, False, None, "1", [1], {}, 2**70])
async def test_a_forged_tier_is_refused(client: httpx2.AsyncClient, tier: Any) -> None:
    scope = fingerprint(GoodsFilter.model_validate({"q": "lantern"}))
    answer = await client.get("/goods", params={"q": "lantern", "after": token_of(scope, tier, 0)})
    assert places(assert_problem(answer, 422, "invalid-input")) == ["after"]


@pytest.mark.parametrize("sort", BOTH_WAYS)
async def test_a_token_without_a_tier_or_with_one_too_many_is_refused(client: httpx2.AsyncClient, sort: str) -> None:
    scope = fingerprint(GoodsFilter.model_validate({"q": "lantern", "sort": sort}))
    for position in ([], [1], [0, 0, 1, 1], [0, None, 1], [0, "\0", 1], [0, 1, "x"], [0, 2**63]):
        answer = await client.get("/goods", params={"q": "lantern", "sort": sort, "after": token_of(scope, *position)})
        assert places(assert_problem(answer, 422, "invalid-input")) == ["after"], position


async def test_a_token_may_name_each_tier(client: httpx2.AsyncClient) -> None:
    """So the forged ones of the tests above do come as far as being judged."""
    good = await create(client)
    scope = fingerprint(GoodsFilter.model_validate({"q": "lantern"}))
    for tier in (SKU, WORDS, CORRECTED):
        answer = await client.get("/goods", params={"q": "lantern", "after": cursors.encode(scope, tier, 0)})
        assert answer.json()["items"] == ([] if tier == CORRECTED else [good])


@pytest.fixture
def few_are_three(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a handful of goods is many, and a walk soon gives up."""
    small = {"FEW": 3, "FEW_AT_ONCE": 2, "FEW_IN_A_BAND": 2, "FEWEST_SAMPLED": 2}
    small |= {"WALKED": 4, "WALKED_AT_ONCE": 2, "WALKED_IN_A_BAND": 3}
    for name, value in small.items():
        monkeypatch.setattr(search, name, value)


@pytest.mark.usefixtures("few_are_three")
async def test_many_goods_are_found_wherever_they_lie(client: httpx2.AsyncClient, connection: Any) -> None:
    """At the near end, at the far end, in the middle, and among filtered ones: each place reads in its own way."""
    await connection.executemany(_INSERT, [_row(n, name) for n, name in enumerate(_scattered())])
    catalogue = Catalogue(await stored(connection))
    for q in ("near", "far", "even", "everywhere", "even far", "evven", "evver", "SK"):
        for sort in ("id", "-id", "name", "-price", "stock"):
            for query in ({}, {"category": "b"}, {"in_stock": "false", "min_price": "3"}):
                expected = [found.id for found in catalogue.find(q, sort=sort, **query)]
                assert await ids(client, q, sort=sort, limit=7, **query) == expected, (q, sort, query)


def _scattered() -> list[str]:
    return [
        f"everywhere{' near' * (n < 9)}{' far' * (n > 23)}{' even' * (n % 2 == 0)}{' ever' * (n % 5 == 0)}"
        for n in range(32)
    ]


_INSERT = """
INSERT INTO goods (sku, name, description, category, price, stock, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, now() + $7, now() - $7)
"""


def _row(n: int, name: str, description: str = "") -> tuple[Any, ...]:
    return (f"SK-{n}" if n % 3 else f"{n}", name, description, "abc"[n % 3], n * 7 % 5, n % 2, timedelta(days=n % 4))


_FIRST = ["a", "a b", "a c", "M", "\u00e9", "\U0010ffff", "\U0010ffff\U0010ffff", "-- "]
_PRICES = ["0", "0.01", "1.39", "1.40", "9.89", "9.90", "30", "9999999999.99"]


@pytest.mark.usefixtures("few_are_three")
@settings(max_examples=80, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_goods_are_found_in_whichever_bands_they_lie(
    client: httpx2.AsyncClient, connection: Any, data: st.DataObject
) -> None:
    """Few and many in a band, bands without any, and pages that end inside of one, among goods that are equal."""
    await connection.execute("TRUNCATE goods, stock_movements, changes RESTART IDENTITY")
    text = st.sampled_from(["lantern", "lantern", "lanterns", "lamp", "LAN lantern", "white lantern lanterns"])
    number = st.builds(lambda band, edge: band * 16384 + edge, st.integers(1, 5), st.sampled_from([-2, -1, 0, 1, 9]))
    good = st.tuples(number, st.sampled_from(_FIRST), text, st.sampled_from(_PRICES), st.integers(0, 2))
    drawn = data.draw(st.lists(good, min_size=4, max_size=24, unique_by=lambda good: good[0]))
    for n, (id_, first, words, price, stock) in enumerate(drawn):
        sku, kind = ("LAN-" if n % 2 else "X") + str(n), "ab"[n % 7 == 0]
        await connection.execute(_INSERT_NUMBERED, id_, sku, f"{first} {words}", kind, Decimal(price), stock)
    catalogue = Catalogue(await stored(connection))
    for _ in range(6):
        q = data.draw(st.sampled_from(["lantern", "lan", "latern", "la", "white lantern", "lantern lamp", "lamp"]))
        sort = data.draw(st.sampled_from(BOTH_WAYS[:3] + BOTH_WAYS[6:9]))
        filters: dict[str, str] = data.draw(st.sampled_from(_FILTERS))
        expected = [found.id for found in catalogue.find(q, sort=sort, **filters)]
        limit = data.draw(st.integers(1, 9))
        assert await ids(client, q, sort=sort, limit=limit, **filters) == expected, (q, sort, filters, limit)


_INSERT_NUMBERED = """
INSERT INTO goods (id, sku, name, category, price, stock, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, now(), now())
"""
_FILTERS: list[dict[str, str]] = [
    {},
    {},
    {"category": "a"},
    {"category": "c"},
    {"in_stock": "true"},
    {"in_stock": "false"},
    {"min_price": "1.40"},
    {"max_price": "9.89", "category": "b"},
    {"min_price": "1.39", "max_price": "9.90"},
    {"min_price": "0.01", "max_price": "9999999999.99", "in_stock": "false"},
]


async def stored(connection: Any) -> list[Good]:
    """All goods that there are."""
    return [Good(**row) for row in await connection.fetch(f"SELECT {', '.join(Good._fields)} FROM goods")]


_VOCABULARY = [
    "lantern",
    "lanterns",
    "lamp",
    "lamps",
    "lame",
    "white",
    "white-metal",
    "50",
    "50mm",
    "é",
    "LAN-1",
    "lan",
]
_ASKED = [*_VOCABULARY, "latern", "lant", "lampz", "whiet", "5", "lan1", "LAN 1", "!", "metal", "wite"]


@pytest.mark.usefixtures("few_are_three")
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_any_search_of_any_goods_finds_what_is_meant(
    client: httpx2.AsyncClient, connection: Any, data: st.DataObject
) -> None:
    text = st.lists(st.sampled_from(_VOCABULARY), min_size=1, max_size=3).map(" ".join)
    names = data.draw(st.lists(st.tuples(text, text), max_size=14))
    await connection.execute("TRUNCATE goods, stock_movements, changes RESTART IDENTITY")
    await connection.executemany(_INSERT, [_row(n, *texts) for n, texts in enumerate(names)])
    catalogue = Catalogue(await stored(connection))
    for _ in range(4):
        q = " ".join(data.draw(st.lists(st.sampled_from(_ASKED), min_size=1, max_size=3))).ljust(2)
        sort = data.draw(st.sampled_from(BOTH_WAYS))
        filters = data.draw(st.sampled_from([{}, {}, {"category": "a"}, {"in_stock": "true"}, {"max_price": "2"}]))
        found = catalogue.find(q, sort=sort, **filters)
        limit = data.draw(st.integers(2, 9))
        assert await ids(client, q, sort=sort, limit=limit, **filters) == [good.id for good in found]
        page = await client.get("/goods", params={"q": q, "limit": 1, "count": "exact", **filters})
        assert page.json()["count"] == len(found)
