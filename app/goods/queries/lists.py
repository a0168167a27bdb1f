"""Listing goods page by page, by keyset.

A page begins where the one before ended, and costs the same wherever it is. The statement's text depends only on
which filters there are, so that PostgreSQL plans it for an index.
"""

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from app.database.db import Database
from app.goods.models.documents import document
from app.goods.queries.filters import Filters, conditions, fingerprint, where
from app.goods.queries.keyset import Order
from app.goods.queries.search import TIERS, Search
from app.goods.schemas.list import GoodsFilter
from app.metrics.goods import GoodsMetrics
from app.rest import cursors


@dataclass(frozen=True, slots=True)
class Page:
    """One page: the JSON texts of its goods, the token of the next page, and the count if it was asked for."""

    documents: list[str]
    next: str | None
    count: int | None


class GoodsLists:
    """The list of goods, searched or not, from the replica where there is one."""

    def __init__(self, database: Database, metrics: GoodsMetrics) -> None:
        self._replica = database.replica
        self._search = Search(self._replica)
        self._metrics = metrics

    async def page(self, wanted: GoodsFilter) -> Page:
        """Raises InvalidInput for a token that is not of this list."""
        with self._metrics.operation("list" if wanted.q is None else "search"):
            return await self.read(wanted)

    async def read(self, wanted: GoodsFilter) -> Page:
        """Read a page for an operation that is counted as a whole. Raises as `page` does."""
        scope = fingerprint(wanted)
        find = self._listed if wanted.q is None else self._searched
        documents, place = await find(wanted, scope)
        token = None if place is None else cursors.encode(scope, *place)
        if wanted.count == "none":
            return Page(documents, token, None)
        if token is None and wanted.after is None:
            return Page(documents, token, len(documents))  # the only page there is
        return Page(documents, token, await self._count(wanted))

    async def _listed(self, wanted: GoodsFilter, scope: str) -> tuple[list[str], tuple[Any, ...] | None]:
        """A page's goods, and its place if another follows."""
        order, filters = Order.of(wanted.sort), Filters.of(wanted)
        position: tuple[Any, ...] = ()
        if wanted.after is not None:
            position = order.position(cursors.decode(wanted.after, scope, length=len(order.keys)))
        sql = page_sql(order, filters.names, after=bool(position))
        rows = await self._replica.read(sql, *filters.values, *position, wanted.limit + 1)
        documents = [row[0] for row in rows[: wanted.limit]]
        return documents, order.position_of(documents[-1]) if len(rows) > wanted.limit else None

    async def _searched(self, wanted: GoodsFilter, scope: str) -> tuple[list[str], tuple[Any, ...] | None]:
        order = Order.of(wanted.sort)
        tier, position = 0, ()
        if wanted.after is not None:
            tier, *values = cursors.decode(wanted.after, scope, length=1 + len(order.keys))
            if type(tier) is not int or tier not in TIERS:
                raise cursors.bad_position()
            position = order.position(values)
        found = await self._search.page(wanted, tier, position)
        documents = [document for _, document in found[: wanted.limit]]
        if len(found) <= wanted.limit:
            return documents, None
        tier, last = found[wanted.limit - 1]
        return documents, (tier, *order.position_of(last))

    async def _count(self, wanted: GoodsFilter) -> int:
        if wanted.q is not None:
            return await self._search.count(wanted)
        filters = Filters.of(wanted)
        matching = f"FROM goods g{where(conditions(filters.names))}"
        if wanted.count == "exact":
            rows = await self._replica.read(f"SELECT count(*) {matching}", *filters.values)
            return int(rows[0][0])
        rows = await self._replica.read(f"EXPLAIN (FORMAT JSON) SELECT 1 {matching}", *filters.values)
        return int(json.loads(rows[0][0])[0]["Plan"]["Plan Rows"])


@lru_cache(maxsize=1024)
def page_sql(order: Order, filters: tuple[str, ...], *, after: bool) -> str:
    """The statement for one page. Parameters: the filters' values, the position if `after`, the limit."""
    found = conditions(filters)
    n = 1 + sum("$" in condition for condition in found)
    if after:
        found.append(order.beyond("g", n))
        n += len(order.keys)
    return f"SELECT {document('g')}::text FROM goods g{where(found)} ORDER BY {order.by('g')} LIMIT ${n}"  # noqa: S608 - constants only
