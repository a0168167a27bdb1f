"""Page 10,000 of a million goods costs what page 1 costs."""

import json
import statistics
from time import perf_counter
from typing import Any

import httpx2
import pytest

from app.application import create_app
from app.goods.models.documents import document
from app.goods.queries.filters import fingerprint
from app.goods.queries.keyset import KEY_TYPES, Order
from app.goods.queries.lists import page_sql
from app.goods.schemas.list import GoodsFilter
from app.rest import cursors
from tests.proof.conftest import Million, Report
from tests.serving import serving

pytestmark = pytest.mark.proof

_LIMIT = 100
_LAST_PAGE = 10_000
_ROUNDS = 41
_SORTS = [f"{sign}{column}" for column in KEY_TYPES for sign in ("", "-")]


async def place_of(connection: Any, sort: str, page: int) -> tuple[str, tuple[Any, ...]]:
    """The token of `page` and what it stands for, from the row before it: to walk there takes `page` requests."""
    column, direction = sort.removeprefix("-"), "DESC" if sort.startswith("-") else "ASC"
    last = await connection.fetchval(
        f"SELECT {document('g')}::text FROM (SELECT id FROM goods ORDER BY {column} {direction}, id {direction}"
        f" LIMIT 1 OFFSET {(page - 1) * _LIMIT - 1}) at JOIN goods g USING (id)"
    )
    order, scope = Order.of(sort), fingerprint(GoodsFilter.model_validate({"sort": sort}))
    token = cursors.encode(scope, *order.position_of(last))
    return token, order.position(cursors.decode(token, scope, length=len(order.keys)))


async def rows_and_blocks(connection: Any, sort: str, position: tuple[Any, ...]) -> tuple[int, int]:
    """Rows that the scan gives, and blocks that are looked at for them."""
    sql = page_sql(Order.of(sort), (), after=bool(position))
    explained = await connection.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", *position, _LIMIT + 1)
    plan: dict[str, Any] = json.loads(explained)[0]["Plan"]
    blocks = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
    while "Scan" not in plan["Node Type"]:
        plan = plan["Plans"][0]
        assert "Sort" not in plan["Node Type"]
    return int(plan["Actual Rows"]), blocks


async def test_a_late_page_costs_what_the_first_costs(million: Million, report: Report) -> None:
    rows: list[tuple[object, ...]] = []
    ratios: list[float] = []
    behind = million.connection
    async with serving(create_app(million.settings)) as url, httpx2.AsyncClient(base_url=url) as client:
        for sort in _SORTS:
            token, position = await place_of(behind, sort, _LAST_PAGE)
            first_rows, first_blocks = await rows_and_blocks(behind, sort, ())
            late_rows, late_blocks = await rows_and_blocks(behind, sort, position)
            # One row more than a page says that there is a next one; after the last page there is none.
            assert (first_rows, late_rows) == (_LIMIT + 1, _LIMIT)
            first = f"/goods?sort={sort}&limit={_LIMIT}"
            times = await alternating(client, [first, f"{first}&after={token}"])
            ratios.append(times[1] / times[0])
            shown = (f"{times[0] * 1000:.2f} ms", f"{times[1] * 1000:.2f} ms", f"{ratios[-1]:.2f}")
            rows.append((f"`{sort}`", first_rows, late_rows, first_blocks, late_blocks, *shown))
    late = f"page {_LAST_PAGE:,}"
    report.write(
        f"{late.capitalize()} of a million goods",
        f"Pages of {_LIMIT} over HTTP, the median of {_ROUNDS} alternating rounds, warm, one client. P{late[1:]} is"
        " the last one. Rows are what the index scan gave, one more than the page holds where there is a next one;"
        " blocks of 8 KiB are what was looked at for them.",
        ("order", "rows, page 1", f"rows, {late}", "blocks, page 1", f"blocks, {late}", "page 1", late, "ratio"),
        rows,
    )
    assert statistics.median(ratios) < 1.5


async def alternating(client: httpx2.AsyncClient, paths: list[str]) -> list[float]:
    """The median seconds of each path, asked for in turn so that whatever else the machine does meets all."""
    times: list[list[float]] = [[] for _ in paths]
    for n in range(_ROUNDS + 5):
        for path, taken in zip(paths, times, strict=True):
            started = perf_counter()
            answer = await client.get(path)
            if n >= 5:  # the first ones warm up
                taken.append(perf_counter() - started)
            assert len(answer.json()["items"]) == _LIMIT
    return [statistics.median(taken) for taken in times]
