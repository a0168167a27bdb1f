"""How searches are planned: a few goods come by the index of words, many by that of the order or band by band."""

import json
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from app.database.db import DatabaseAddress
from app.database.embedded import EmbeddedAddress
from app.database.migrate import migrate
from app.goods.queries.bands import BANDS
from app.goods.queries.keyset import KEY_TYPES, Order
from app.goods.queries.search_statements import CORRECTED, SKU, WORDS, Kind, Statements, edge, statements
from app.goods.services.loading import load
from data.sample import generate
from tests.conftest import settings_for

pytestmark = pytest.mark.slow

_LOADED = 20_000
_LIMIT = 50
_SORTS = [f"{sign}{column}" for column in KEY_TYPES for sign in ("", "-")]
_MODES = ["force_custom_plan", "force_generic_plan"]


@pytest.fixture(scope="module")
async def filled(postgres: EmbeddedAddress, connection: Any) -> AsyncIterator[Any]:
    """A connection to a database of 20,000 goods."""
    await connection.execute("CREATE DATABASE searched")
    settings = settings_for(postgres, DB_NAME="searched")
    await migrate(settings)
    assert await load(settings, generate(_LOADED), actor="test") == _LOADED
    opened = await asyncpg.connect(**DatabaseAddress.of(settings).connect_arguments())
    await opened.execute("VACUUM ANALYZE")
    yield opened
    await opened.close()
    await connection.execute("DROP DATABASE searched WITH (FORCE)")


def texts(sort: str, tier: int, *, groups: int = 0, marked: bool = False, after: bool = False) -> Statements:
    """The statements of a search without filters."""
    return statements(Kind(Order.of(sort), (), tier, groups, marked=marked, between=False, after=after))


async def scans(connection: Any, mode: str, sql: str, *arguments: Any) -> list[dict[str, Any]]:
    """The plan's nodes that scan the two tables or their indexes, with sub-plans."""
    literals = ", ".join("'" + str(argument).replace("'", "''") + "'" for argument in arguments)
    await connection.execute(f"SET plan_cache_mode = {mode}")
    await connection.execute(f"PREPARE looked_at AS {sql}")
    try:
        explained = await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE looked_at({literals})")
    finally:
        await connection.execute("DEALLOCATE looked_at")
    plan = json.loads(explained)[0]["Plan"]
    return [node for node in everything(plan) if "Scan" in node["Node Type"] and node["Node Type"] != "CTE Scan"]


def everything(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for inner in plan.get("Plans", []) for node in everything(inner))]


def rows(found: list[dict[str, Any]], relation: str) -> int:
    return sum(
        round((node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"])
        for node in found
        if node.get("Relation Name") == relation
    )


@pytest.mark.parametrize("mode", _MODES)
@pytest.mark.parametrize("sort", _SORTS)
async def test_a_few_goods_come_by_the_index_of_words_and_then_by_id(filled: Any, sort: str, mode: str) -> None:
    last = await filled.fetchval("SELECT name FROM goods ORDER BY id DESC LIMIT 1")
    maker = last.split(", ")[-1]  # only the last thousand goods are of this maker and series
    matching = await filled.fetchval("SELECT count(*) FROM goods WHERE name LIKE '%' || $1", f", {maker}")
    assert _LIMIT < matching < _LOADED / 10
    words = maker.lower().split()
    for tier, groups in ((WORDS, 0), (CORRECTED, 2)):
        # What holds the text's own words is in the tier before.
        asked = ("{other,words}", *(f"{{{word}}}" for word in words)) if groups else (f"{{{','.join(words)}}}",)
        found = await scans(filled, mode, texts(sort, tier, groups=groups).few, "key", *asked, _LIMIT + 1, 5000)
        assert {node.get("Index Name") for node in found} - {None} == {"goods_search_words", "goods_pkey"}
        assert "Seq Scan" not in {node["Node Type"] for node in found}
        assert rows(found, "goods_search") == rows(found, "goods") == matching


@pytest.mark.parametrize("mode", _MODES)
async def test_goods_come_by_the_index_of_skus(filled: Any, mode: str) -> None:
    found = await scans(filled, mode, texts("name", SKU).few, "lan0001", _LIMIT + 1, 5000)
    assert {node.get("Index Name") for node in found} - {None} == {"goods_search_sku_key", "goods_pkey"}
    assert _LIMIT > rows(found, "goods_search") == rows(found, "goods") > 10


@pytest.mark.parametrize("mode", _MODES)
@pytest.mark.parametrize("sort", _SORTS)
async def test_many_goods_are_not_read_to_know_that_they_are_many(filled: Any, sort: str, mode: str) -> None:
    found = await scans(filled, mode, texts(sort, WORDS).few, "with", "{with}", _LIMIT + 1, 500)
    assert rows(found, "goods_search") == 501
    assert rows(found, "goods") == 0


@pytest.mark.parametrize("mode", _MODES)
@pytest.mark.parametrize("after", [False, True], ids=["first page", "a page in the middle"])
@pytest.mark.parametrize("sort", _SORTS)
async def test_a_walk_follows_the_orders_index_and_ends_with_the_page(
    filled: Any, sort: str, mode: str, *, after: bool
) -> None:
    order = Order.of(sort)
    position: tuple[Any, ...] = ()
    if after:
        keys = ", ".join(order.keys)
        middle = f"SELECT {keys} FROM goods g ORDER BY {order.by('g')} OFFSET 9000 LIMIT 1"
        position = tuple(await filled.fetchrow(middle))
    sql = texts(sort, WORDS, after=after).walked
    found = await scans(filled, mode, sql, *position, "with", "{with}", _LIMIT + 1, 10_000)
    (scan,) = (node for node in found if node.get("Relation Name") == "goods")
    assert scan["Index Name"] == ("goods_pkey" if order.column == "id" else f"goods_{order.column}_id")
    # One in four holds the word, unevenly spread.
    assert _LIMIT < rows(found, "goods") < 60 * _LIMIT
    assert rows(found, "goods_search") == rows(found, "goods")


@pytest.mark.parametrize("mode", _MODES)
@pytest.mark.parametrize("sort", _SORTS)
async def test_where_a_walk_ended_is_read_from_the_index_alone(filled: Any, sort: str, mode: str) -> None:
    order = Order.of(sort)
    (scan,) = await scans(filled, mode, edge(order, (), after=False), 9_000)
    assert scan["Node Type"] == "Index Only Scan"
    assert scan["Index Name"] == ("goods_pkey" if order.column == "id" else f"goods_{order.column}_id")


@pytest.mark.parametrize("mode", _MODES)
@pytest.mark.parametrize("sort", [sort for sort in _SORTS if sort.removeprefix("-") in BANDS])
async def test_no_good_is_read_of_a_band_without_any_that_is_wanted(filled: Any, sort: str, mode: str) -> None:
    """Bands are looked at one by one by the index of words, as far as the page needs."""
    wanted = await filled.fetch("SELECT goods_id FROM goods_search WHERE words @> '{led,bulb}'")
    assert _LIMIT < len(wanted) < _LOADED / 20
    found = await scans(filled, mode, texts(sort, WORDS).banded, "key", "{bulb,led}", _LIMIT + 1, 3_000)
    indexes = {node.get("Index Name") for node in found} - {None}
    order = Order.of(sort)
    assert indexes == {"goods_search_words", "goods_pkey", *([f"goods_{order.column}_id"] * (order.column != "id"))}
    assert not {node["Node Type"] for node in found} & {"Seq Scan"}
    read = rows([node for node in found if node["Node Type"] == "Bitmap Heap Scan"], "goods_search")
    assert _LIMIT < read <= len(wanted)


@pytest.mark.parametrize("mode", _MODES)
@pytest.mark.parametrize("sort", ["price", "-name", "id"])
async def test_no_band_is_looked_at_after_one_that_has_many(filled: Any, sort: str, mode: str) -> None:
    found = await scans(filled, mode, texts(sort, WORDS).banded, "key", "{with}", _LIMIT + 1, 20)
    by_words = [node for node in found if node.get("Index Name") == "goods_search_words"]
    assert sum(node["Actual Loops"] for node in by_words) < 15
    assert rows([node for node in found if node["Node Type"] == "Bitmap Heap Scan"], "goods_search") < 15 * 21


@pytest.mark.parametrize("mode", _MODES)
async def test_in_a_band_skus_are_found_by_their_mark(filled: Any, mode: str) -> None:
    sql = texts("price", SKU, marked=True).banded
    found = await scans(filled, mode, sql, "{s=la}", "lan0001", _LIMIT + 1, 3_000)
    assert "goods_search_sku_key" not in {node.get("Index Name") for node in found}
    assert "Seq Scan" not in {node["Node Type"] for node in found}
