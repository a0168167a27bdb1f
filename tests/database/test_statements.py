"""How much each request costs the database: statements sent, and rows read for what is answered."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import asyncpg
import httpx2
import pytest

from app.application import create_app
from app.config.conf import Settings
from app.database.db import DatabaseAddress
from app.database.embedded import EmbeddedAddress
from app.database.migrate import migrate
from app.goods.queries.goods import BY_ID, BY_SKU
from app.goods.queries.keyset import KEY_TYPES, Order
from app.goods.queries.lists import page_sql
from app.goods.queries.movements import MOVEMENTS
from app.goods.services.loading import load
from app.goods.services.stock_statements import BASKET
from data.sample import generate
from tests.conftest import Service, settings_for
from tests.serving import serving

# Without those of the tasks that look, now and then, whether something waits for them or a key was revoked.
# (The text can be missing for a moment after a reset.)
_CALLS = """
SELECT coalesce(sum(calls), 0)::int FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
WHERE d.datname = current_database() AND coalesce(query, '') NOT LIKE ALL (
  '{%pg_stat_statements%,%FROM imports%,%DELETE FROM idempotency_records%,%number_changes%,%access_keys%}')
"""
_GOOD = {"sku": "A", "name": "a", "price": "1.00", "stock": 3, "category": "c"}
_SORTS = [f"{sign}{column}" for column in KEY_TYPES for sign in ("", "-")]
_LOADED = 20_000
_LIMIT = 100
Count: TypeAlias = Callable[[Callable[[], Awaitable[Any]]], Awaitable[int]]


@pytest.fixture
async def statements(client: httpx2.AsyncClient, connection: Any) -> Count:
    """Counts the statements that the service sends while something is done: BEGIN and COMMIT would count.

    It takes what is to be done as a function: what `gather` gives has begun already, and would race the reset.
    """
    assert (await client.post("/goods", json=_GOOD)).status_code == 201

    async def count(do: Callable[[], Awaitable[Any]]) -> int:
        await connection.execute("SELECT pg_stat_statements_reset()")
        await do()
        calls: int = await connection.fetchval(_CALLS)
        return calls

    return count


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "expected"),
    [
        ("GET", "/goods/1", {}, 200, 1),
        ("HEAD", "/goods/1", {}, 200, 1),
        ("GET", "/goods/1", {"headers": {"If-None-Match": '"1-1"'}}, 304, 1),
        ("GET", "/goods/2", {}, 404, 1),
        ("GET", "/goods/by-sku/A", {}, 200, 1),
        ("GET", "/goods", {}, 200, 1),
        ("GET", "/goods?category=c&min_price=0.5&sort=-price&limit=500", {}, 200, 1),
        ("GET", "/goods?count=exact", {}, 200, 1),  # the whole list is in the answer: it is counted there
        ("GET", "/categories", {}, 200, 1),
        ("GET", "/goods/export", {}, 200, 1),
        ("POST", "/goods", {"json": {"name": "b", "price": 1, "stock": 1}}, 201, 1),
        ("POST", "/goods", {"json": _GOOD}, 409, 1),
        ("PUT", "/goods/1", {"json": {"name": "b", "price": 1, "stock": 8}}, 200, 1),
        ("PATCH", "/goods/1", {"json": {"stock": 8}}, 200, 1),
        ("PATCH", "/goods/1", {"json": {"stock": 3}}, 200, 1),  # without effect
        ("PATCH", "/goods/1", {"json": {"stock": 8}, "headers": {"If-Match": '"1-7"'}}, 412, 1),
        ("DELETE", "/goods/1", {}, 204, 1),
        ("POST", "/goods/1/stock", {"json": {"delta": -1, "reason": "sale"}}, 201, 1),
        ("POST", "/goods/1/stock", {"json": {"delta": -9, "reason": "sale"}}, 409, 1),
        ("POST", "/stock", {"json": {"lines": [{"sku": "A", "delta": -1}] * 3, "reason": "sale"}}, 201, 1),
        ("POST", "/stock", {"json": {"lines": [{"sku": "A", "delta": -9}] * 3, "reason": "sale"}}, 409, 1),
        ("GET", "/goods/1/stock/movements", {}, 200, 1),
        ("GET", "/changes", {}, 200, 1),  # and one that numbers
        ("GET", "/goods/1/history", {}, 200, 1),
        ("GET", "/goods/1?as_of=2999-01-01T00:00:00Z", {}, 200, 1),
        ("GET", "/goods/by-sku/A?as_of=2999-01-01T00:00:00Z", {}, 200, 1),
        ("GET", "/readyz", {}, 200, 1),
        ("GET", "/livez", {}, 200, 0),
        ("GET", "/metrics", {}, 200, 0),
        ("GET", "/", {}, 200, 0),
        ("GET", "/goods/0", {}, 404, 0),
        ("GET", "/goods/9223372036854775808", {}, 404, 0),
        ("GET", "/goods?limit=0", {}, 422, 0),
        ("GET", "/nothing", {}, 404, 0),
        ("POST", "/goods", {"json": {"name": ""}}, 422, 0),
    ],
)  # fmt: skip
async def test_a_request_costs_one_statement_or_none(
    client: httpx2.AsyncClient,
    statements: Count,
    *,
    method: str,
    path: str,
    options: dict[str, Any],
    status: int,
    expected: int,
) -> None:
    async def ask() -> None:
        assert (await client.request(method, path, **options)).status_code == status

    assert await statements(ask) == expected


async def test_concurrent_reads_share_statements(service: Service, statements: Count) -> None:
    """From inside: how many requests are at the server at the same moment must not depend on the client."""
    queries = service.parts.goods_queries
    assert await statements(lambda: asyncio.gather(*(queries.by_id(1) for _ in range(32)))) == 1
    assert await statements(lambda: asyncio.gather(*(queries.by_sku("A") for _ in range(32)))) == 1


async def test_concurrent_requests_need_far_fewer_statements_than_they_are(
    client: httpx2.AsyncClient, statements: Count
) -> None:
    async def ask() -> None:
        answers = await asyncio.gather(*(client.get("/goods/1") for _ in range(32)))
        assert {answer.status_code for answer in answers} == {200}

    await ask()  # the client's connections are open now
    assert await statements(ask) < 24


async def test_the_first_request_of_a_new_connection_costs_no_more(
    client: httpx2.AsyncClient, statements: Count, connection: Any
) -> None:
    """The driver must not ask the server about types: that takes round trips, and a SET for the session."""

    async def ask() -> None:
        for _ in range(3):
            await connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) /* pg_stat_statements */ FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            for path in ("/goods/1", "/goods/by-sku/A", "/goods", "/categories"):
                assert (await client.get(path)).status_code == 200
            changed = await client.patch("/goods/1", json={"stock": 8}, headers={"If-Match": '"1-7"'})
            assert changed.status_code == 412

    assert await statements(ask) == 15


@asynccontextmanager
async def _loaded(postgres: EmbeddedAddress, connection: Any) -> AsyncIterator[tuple[Settings, Any]]:
    await connection.execute("CREATE DATABASE filled")
    settings = settings_for(postgres, DB_NAME="filled")
    await migrate(settings)
    assert await load(settings, generate(_LOADED), actor="test") == _LOADED
    opened = await asyncpg.connect(**DatabaseAddress.of(settings).connect_arguments())
    try:
        yield settings, opened
    finally:
        await opened.close()
        await connection.execute("DROP DATABASE filled WITH (FORCE)")


@pytest.fixture(scope="module")
async def filled(postgres: EmbeddedAddress, connection: Any) -> AsyncIterator[tuple[Settings, Any]]:
    """A database of 20,000 goods, and a connection to it."""
    async with _loaded(postgres, connection) as loaded:
        yield loaded


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """The plan's nodes from the top, those of sub-plans for single values left out."""
    below = [node for node in plan.get("Plans", []) if node["Parent Relationship"] != "SubPlan"]
    return [plan, *(node for inner in below for node in nodes(inner))]


async def plan_of(connection: Any, sql: str, *arguments: Any) -> list[dict[str, Any]]:
    """The plan that a connection of the pool comes to use: of a prepared statement, used many times."""
    literals = ", ".join("'" + str(argument).replace("'", "''") + "'" for argument in arguments)
    await connection.execute(f"PREPARE looked_at AS {sql}")
    try:
        for _ in range(8):
            await connection.execute(f"EXECUTE looked_at({literals})")
        explained = await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE looked_at({literals})")
        return nodes(json.loads(explained)[0]["Plan"])
    finally:
        await connection.execute("DEALLOCATE looked_at")


@pytest.mark.parametrize("sort", _SORTS)
@pytest.mark.parametrize("after", [False, True], ids=["first page", "a page in the middle"])
async def test_a_page_reads_its_own_rows_from_the_orders_index(
    filled: tuple[Settings, Any], sort: str, *, after: bool
) -> None:
    _, connection = filled
    column = sort.removeprefix("-")
    position: tuple[Any, ...] = ()
    if after:
        direction = "DESC" if sort.startswith("-") else "ASC"
        row = await connection.fetchrow(
            f"SELECT {column}, id FROM goods ORDER BY {column} {direction}, id {direction} LIMIT 1 OFFSET 12000"
        )
        position = (row["id"],) if column == "id" else tuple(row)
    plan = await plan_of(connection, page_sql(Order.of(sort), (), after=after), *position, _LIMIT + 1)
    kinds = [node["Node Type"] for node in plan]
    assert not [kind for kind in kinds if "Sort" in kind], kinds
    (scan,) = (node for node in plan if "Scan" in node["Node Type"])
    assert scan["Index Name"] == ("goods_pkey" if column == "id" else f"goods_{column}_id")
    assert scan["Scan Direction"] == ("Backward" if sort.startswith("-") else "Forward")
    assert scan["Actual Rows"] <= _LIMIT + 1
    assert scan.get("Rows Removed by Filter", 0) == 0


@pytest.mark.parametrize(
    ("sql", "keys", "index"),
    [(BY_ID, range(1, 65), "goods_pkey"), (BY_SKU, [f"no such {n}" for n in range(64)], "goods_sku_key")],
)
async def test_a_batch_of_point_reads_goes_by_the_index(
    filled: tuple[Settings, Any], sql: str, keys: Any, index: str
) -> None:
    _, connection = filled
    array = "{" + ",".join(f'"{key}"' for key in keys) + "}"
    plan = await plan_of(connection, sql, array)
    assert {node.get("Index Name") for node in plan if "Scan" in node["Node Type"]} == {index}


async def test_a_basket_finds_its_goods_by_the_indexes(filled: tuple[Settings, Any]) -> None:
    _, connection = filled
    skus = await connection.fetch("SELECT sku FROM goods ORDER BY id DESC LIMIT 3")
    ids = "{1,2,3,null,null,null}"
    named = "{null,null,null," + ",".join(f'"{row["sku"]}"' for row in skus) + "}"
    transaction = connection.transaction()
    await transaction.start()
    try:
        plan = await plan_of(connection, BASKET.plain, ids, named, "{1,1,1,1,1,1}", "", "", "count", "")
    finally:
        await transaction.rollback()
    goods = [node for node in plan if node.get("Relation Name") == "goods" and "Scan" in node["Node Type"]]
    assert goods
    assert "Seq Scan" not in {node["Node Type"] for node in goods}
    assert {"goods_pkey", "goods_sku_key"} <= {node.get("Index Name") for node in plan}
    (locks,) = (node for node in plan if node["Node Type"] == "LockRows")
    (ordered,) = locks["Plans"]
    assert (ordered["Node Type"], ordered["Sort Key"]) == ("Sort", ["g.id"]), "or two baskets could wait for each other"


async def test_a_page_of_movements_reads_its_own_rows(filled: tuple[Settings, Any]) -> None:
    _, connection = filled
    transaction = connection.transaction()
    await transaction.start()
    try:
        await connection.execute(
            "INSERT INTO stock_movements (goods_id, goods_version, delta, balance, reason, actor, created_at)"
            " SELECT 1, n, 1, n, 'count', '', now() FROM generate_series(1, 20000) n"
        )
        await connection.execute("ANALYZE stock_movements")
        middle = await connection.fetchval("SELECT max(id) - 10000 FROM stock_movements")
        plan = await plan_of(connection, MOVEMENTS, 1, middle, "count", _LIMIT + 1)
    finally:
        await transaction.rollback()
    (scan,) = (node for node in plan if "Scan" in node["Node Type"])
    assert scan["Index Name"] == "stock_movements_goods_id_id"
    assert (scan["Actual Rows"], scan.get("Rows Removed by Filter", 0)) == (_LIMIT + 1, 0)
    assert not [node["Node Type"] for node in plan if "Sort" in node["Node Type"]]


@pytest.mark.parametrize("sort", _SORTS)
async def test_walking_all_pages_meets_every_good_once_in_order(filled: tuple[Settings, Any], sort: str) -> None:
    settings, connection = filled
    column, descending = sort.removeprefix("-"), sort.startswith("-")
    direction = "DESC" if descending else "ASC"
    wanted = await connection.fetch(f"SELECT id FROM goods ORDER BY {column} {direction}, id {direction}")
    met: list[int] = []
    async with serving(create_app(settings)) as url, httpx2.AsyncClient(base_url=url) as client:
        path: str | None = f"/goods?sort={sort}&limit=500"
        while path:
            answer = await client.get(path)
            met += [good["id"] for good in answer.json()["items"]]
            path = answer.links["next"]["url"] if "next" in answer.links else None
    assert met == [row["id"] for row in wanted]
