"""Listing goods page by page, by keyset.

A page begins where the one before ended, and costs the same wherever it is. The statement's text depends only on
which filters there are, so that PostgreSQL plans it for an index.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from app.database.db import Database
from app.goods.models.documents import document
from app.goods.schemas.fields import price
from app.goods.schemas.list import GoodsFilter
from app.metrics.goods import GoodsMetrics
from app.rest import cursors

# What each order's key is in SQL, and how it comes back from a token.
_KEY_TYPES = {
    "id": "bigint",
    "name": "text",
    "price": "numeric",
    "stock": "integer",
    "created_at": "timestamptz",
    "updated_at": "timestamptz",
}


@dataclass(frozen=True, slots=True)
class Page:
    """One page: the JSON texts of its goods, the token of the next page, and the count if it was asked for."""

    documents: list[str]
    next: str | None
    count: int | None


class GoodsLists:
    """The list of goods, from the replica where there is one."""

    def __init__(self, database: Database, metrics: GoodsMetrics) -> None:
        self._replica = database.replica
        self._metrics = metrics

    async def page(self, wanted: GoodsFilter) -> Page:
        """Raises InvalidInput for a token that is not of this list."""
        with self._metrics.operation("list"):
            scope = _fingerprint(wanted)
            names, values = _filters(wanted)
            position = _position(wanted, scope)
            sql = page_sql(wanted.sort, names, after=position is not None)
            rows = await self._replica.read(sql, *values, *(position or ()), wanted.limit + 1)
            documents = [row[0] for row in rows[: wanted.limit]]
            more = len(rows) > wanted.limit
            token = _token(wanted.sort, scope, documents[-1]) if more else None
            if wanted.count == "none":
                return Page(documents, token, None)
            if token is None and position is None:
                return Page(documents, token, len(documents))  # the only page there is
            return Page(documents, token, await self._count(wanted, names, values))

    async def _count(self, wanted: GoodsFilter, names: tuple[str, ...], values: list[Any]) -> int:
        where = _where(names)
        if wanted.count == "exact":
            rows = await self._replica.read(f"SELECT count(*) FROM goods g{where}", *values)  # noqa: S608 - constants only
            return int(rows[0][0])
        sql = f"EXPLAIN (FORMAT JSON) SELECT 1 FROM goods g{where}"  # noqa: S608 - constants only
        rows = await self._replica.read(sql, *values)
        return int(json.loads(rows[0][0])[0]["Plan"]["Plan Rows"])


_CONDITIONS = {
    "category": "g.category = ${n}::text",
    "min_price": "g.price >= ${n}::numeric",
    "max_price": "g.price <= ${n}::numeric",
    "in_stock": "g.stock > 0",
    "out_of_stock": "g.stock = 0",
}
_WITHOUT_VALUE = frozenset({"in_stock", "out_of_stock"})


def _fingerprint(wanted: GoodsFilter) -> str:
    bounds = [None if bound is None else f"{bound:.2f}" for bound in (wanted.min_price, wanted.max_price)]
    return cursors.fingerprint(wanted.sort, wanted.category, *bounds, wanted.in_stock)


def _filters(wanted: GoodsFilter) -> tuple[tuple[str, ...], list[Any]]:
    given = [
        (name, value) for name in ("category", "min_price", "max_price") if (value := getattr(wanted, name)) is not None
    ]
    names = [name for name, _ in given]
    if wanted.in_stock is not None:
        names.append("in_stock" if wanted.in_stock == "true" else "out_of_stock")
    return tuple(names), [value for _, value in given]


def _where(names: tuple[str, ...], *more: str) -> str:
    conditions = [*(_CONDITIONS[name].format(n=n) for n, name in enumerate(names, 1)), *more]
    return " WHERE " + " AND ".join(conditions) if conditions else ""


@lru_cache(maxsize=1024)
def page_sql(sort: str, filters: tuple[str, ...], *, after: bool) -> str:
    """The statement for one page. Parameters: the filters' values, the position if `after`, the limit."""
    column = sort.removeprefix("-")
    direction, beyond = ("DESC", "<") if sort.startswith("-") else ("ASC", ">")
    n = sum(name not in _WITHOUT_VALUE for name in filters)
    position: list[str] = []
    if after and column == "id":
        position = [f"g.id {beyond} ${n + 1}::bigint"]
    elif after:
        # A row comparison, not OR: only that is one range of the index.
        key_type = _KEY_TYPES[column]
        position = [f"(g.{column}, g.id) {beyond} (${n + 1}::{key_type}, ${n + 2}::bigint)"]
    limit = n + 1 + (0 if not after else 1 if column == "id" else 2)
    order = f"g.id {direction}" if column == "id" else f"g.{column} {direction}, g.id {direction}"
    return f"SELECT {document('g')}::text FROM goods g{_where(filters, *position)} ORDER BY {order} LIMIT ${limit}"  # noqa: S608 - constants only


def _token(sort: str, scope: str, last: str) -> str:
    good = json.loads(last)
    column = sort.removeprefix("-")
    return cursors.encode(scope, *((good["id"],) if column == "id" else (good[column], good["id"])))


def _position(wanted: GoodsFilter, scope: str) -> tuple[Any, ...] | None:
    if wanted.after is None:
        return None
    column = wanted.sort.removeprefix("-")
    if column == "id":
        return (_whole(*cursors.decode(wanted.after, scope, length=1)),)
    key, goods_id = cursors.decode(wanted.after, scope, length=2)
    return (_key(column, key), _whole(goods_id))


def _whole(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63:
        return value
    raise cursors.bad_position()


def _key(column: str, value: Any) -> Any:
    """A token's key back in the type of its column."""
    if column == "stock" and _whole(value) < 2**31:
        return value
    try:
        if column == "name" and isinstance(value, str) and "\0" not in value and value.encode():
            return value
        if column == "price" and isinstance(value, str):
            return price(value)
        if column.endswith("_at") and isinstance(value, str):
            moment = datetime.fromisoformat(value)
            if moment.tzinfo is not None:
                return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise cursors.bad_position()
