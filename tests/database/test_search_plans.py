"""How searches are planned: a few goods come by the index of words, many by the index of the order."""

import json
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from app.database.db import DatabaseAddress
from app.database.embedded import EmbeddedAddress
from app.database.migrate import migrate
from app.goods.queries.keyset import KEY_TYPES, Order
from app.goods.queries.search import CORRECTED, SKU, WORDS, statements
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
    for tier, groups in ((WORDS, 0), (CORRECTED, 2)):
        words = [f"{{{word}}}" for word in maker.lower().split()] if groups else []
        sql = statements(Order.of(sort), (), tier, groups, after=False).few
        text = "other words" if groups else maker  # what holds the text's own words is in the tier before
        found = await scans(filled, mode, sql, text, *words, _LIMIT + 1, 5000)
        assert {node.get("Index Name") for node in found} - {None} == {"goods_search_words", "goods_pkey"}
        assert "Seq Scan" not in {node["Node Type"] for node in found}
        assert rows(found, "goods_search") == rows(found, "goods") == matching


@pytest.mark.parametrize("mode", _MODES)
async def test_goods_come_by_the_index_of_skus(filled: Any, mode: str) -> None:
    sql = statements(Order.of("name"), (), SKU, 0, after=False).few
    found = await scans(filled, mode, sql, "LAN-0001", _LIMIT + 1, 5000)
    assert {node.get("Index Name") for node in found} - {None} == {"goods_search_sku_key", "goods_pkey"}
    assert _LIMIT > rows(found, "goods_search") == rows(found, "goods") > 10


@pytest.mark.parametrize("mode", _MODES)
@pytest.mark.parametrize("sort", _SORTS)
async def test_many_goods_are_not_read_to_know_that_they_are_many(filled: Any, sort: str, mode: str) -> None:
    sql = statements(Order.of(sort), (), WORDS, 0, after=False).few
    found = await scans(filled, mode, sql, "with", _LIMIT + 1, 500)
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
    sql = statements(order, (), WORDS, 0, after=after).walked
    found = await scans(filled, mode, sql, *position, "with", _LIMIT + 1, 10_000)
    (scan,) = (node for node in found if node.get("Relation Name") == "goods")
    assert scan["Index Name"] == ("goods_pkey" if order.column == "id" else f"goods_{order.column}_id")
    # One in four holds the word, unevenly spread.
    assert _LIMIT < rows(found, "goods") < 60 * _LIMIT
    assert rows(found, "goods_search") == rows(found, "goods")
