"""Searching goods: by SKU, by words, and by what misspelt words were meant to be, in this order.

Each of these tiers is a list of its own, in the order that was asked for, and a page takes from one after the
other. A tier is read in one of two ways, because no index has both the words and the order:

- few goods match: their ids come from the index of words, and they are sorted;
- many match: the list is walked in its order, and goods that don't match are passed over. That ends soon, for
  matches are many. If it does not (they all lie at the far end), it stops, and all that match are sorted.

So a page reads at most FEW goods for the first way and WALKED for the second, unless more than FEW goods match and
yet too few of them are near.
"""

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from app.database.db import Pool
from app.goods.models.documents import document
from app.goods.queries.correction import Correction, corrected
from app.goods.queries.filters import Filters, conditions, where
from app.goods.queries.keyset import Order
from app.goods.schemas.list import GoodsFilter

FEW = 5_000
WALKED = 10_000
_ALL = 2**62
SKU, WORDS, CORRECTED = TIERS = (0, 1, 2)


class Search:
    """The goods that a text finds."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def page(self, wanted: GoodsFilter, tier: int, position: tuple[Any, ...]) -> list[tuple[int, str]]:
        """Up to `wanted.limit` goods and one more, from `position` in `tier` on: each one's tier and JSON text."""
        found: list[tuple[int, str]] = []
        for current in TIERS[tier:]:
            correction = None
            if current == CORRECTED:
                all_known = any(tier == WORDS for tier, _ in found)
                correction = await corrected(self._pool, wanted.q or "", all_known=all_known)
                if correction is None:
                    break
            documents = await self._documents(
                wanted, current, correction, position, limit=wanted.limit + 1 - len(found)
            )
            found += [(current, document) for document in documents]
            if len(found) > wanted.limit:
                break
            position = ()
        return found

    async def _documents(
        self,
        wanted: GoodsFilter,
        tier: int,
        correction: Correction | None,
        position: tuple[Any, ...],
        *,
        limit: int,
    ) -> list[str]:
        """The next goods of one tier."""
        order, filters = Order.of(wanted.sort), Filters.of(wanted)
        groups = len(correction.groups) if correction else 0
        texts = statements(order, filters.names, tier, groups, after=bool(position))
        listed = (*filters.values, *position)
        values = (*listed, wanted.q, *(correction.groups if correction else ()), limit)
        rows = await self._pool.read(texts.few, *values, FEW)
        if rows[0]["many"]:
            rows = await self._pool.read(texts.walked, *values, WALKED)
            # The walk may have come to the list's end: then there is no more.
            if len(rows) < limit and (await self._pool.read(texts.left, *listed, WALKED))[0]["more"]:
                rows = await self._pool.read(texts.few, *values, _ALL)
        return [row["document"] for row in rows if row["document"] is not None]

    async def count(self, wanted: GoodsFilter) -> int:
        """How many goods match: an estimate of PostgreSQL's if `wanted.count` says so."""
        filters = Filters.of(wanted)
        correction = await corrected(self._pool, wanted.q or "")
        [query] = await self._pool.read("SELECT search_key($1::text), search_words($1::text)", wanted.q)
        n = 1 + len(filters.values)
        key, words = f"${n}::text", f"${n + 1}::text[]"
        groups = correction.groups if correction else []
        tiers = [_by_sku(key), _by_words(words), *([_by_groups(n + 2, len(groups))] if groups else [])]
        found = [*conditions(filters.names), f"({' OR '.join(f'({tier})' for tier in tiers)})"]
        matching = f"FROM goods_search s JOIN goods g ON g.id = s.goods_id{where(found)}"
        values = (*filters.values, *query, *groups)
        if wanted.count == "exact":
            rows = await self._pool.read(f"SELECT count(*) {matching}", *values)
            return int(rows[0][0])
        rows = await self._pool.read(f"EXPLAIN (FORMAT JSON) SELECT 1 {matching}", *values)
        return int(json.loads(rows[0][0])[0]["Plan"]["Plan Rows"])


def _by_sku(key: str) -> str:
    # No character comes after the last one there is, so this is the range of all that begin with the key.
    return f"{key} <> '' AND s.sku_key >= {key} AND s.sku_key < {key} || chr(1114111)"


def _by_words(words: str) -> str:
    return f"cardinality({words}) > 0 AND s.words @> {words}"


def _by_groups(first: int, groups: int) -> str:
    return " AND ".join(f"s.words && ${n}::text[]" for n in range(first, first + groups))


def _condition(tier: int, groups: int, q: int) -> str:
    """The condition for one tier, each good being in the best only. Parameters from number `q` on."""
    # A subquery is computed once for the statement, and not once for each row.
    by_sku = _by_sku(f"(SELECT search_key(${q}::text))")
    if tier == SKU:
        return by_sku
    by_words = _by_words(f"(SELECT search_words(${q}::text))")
    if tier == WORDS:
        return f"{by_words} AND NOT ({by_sku})"
    return f"{_by_groups(q + 1, groups)} AND NOT ({by_words}) AND NOT ({by_sku})"


@dataclass(frozen=True, slots=True)
class Statements:
    """The two ways to read a tier.

    Parameters: the filters' values, the position, the text, the corrected groups of words, the limit, and how many
    goods count as few, or are walked at most.

    `few` gives rows (document, many), at least one; if `many`, it is the only one and has no document. `walked`
    gives rows (document). `left` takes neither text, groups nor limit, and gives one row (more): whether the list
    goes on after a walk.
    """

    few: str
    walked: str
    left: str


@lru_cache(maxsize=1024)
def statements(order: Order, filters: tuple[str, ...], tier: int, groups: int, *, after: bool) -> Statements:
    """The texts for one kind of search: whether a position is given, how many groups a correction has."""
    found = conditions(filters)
    q = 1 + sum("$" in condition for condition in found)
    if after:
        found.append(order.beyond("g", q))
        q += len(order.keys)
    matching = _condition(tier, groups, q)
    n = q + 1 + groups
    keys = ", ".join(f"g.{key}" for key in order.keys)
    few = f"""
WITH matching AS MATERIALIZED (
  SELECT s.goods_id FROM goods_search s WHERE {matching} LIMIT ${n + 1}::bigint + 1
), size AS MATERIALIZED (
  SELECT count(*) > ${n + 1}::bigint AS many FROM matching
)
SELECT p.document, size.many FROM size LEFT JOIN LATERAL (
  -- OFFSET 0: each good by its id. A merge in the order of ids would read all goods up to the first that matches.
  SELECT {document("g")}::text AS document, {keys}
  FROM matching m CROSS JOIN LATERAL (SELECT * FROM goods WHERE goods.id = m.goods_id OFFSET 0) g
  WHERE {" AND ".join(["NOT size.many", *found])} ORDER BY {order.by("g")} LIMIT ${n}
) p ON true ORDER BY {order.by("p")}
"""  # noqa: S608 - constants only
    walked = f"""
SELECT {document("g")}::text AS document FROM (
  SELECT * FROM goods g{where(found)} ORDER BY {order.by("g")} LIMIT ${n + 1}::bigint
) g WHERE (SELECT {matching} FROM goods_search s WHERE s.goods_id = g.id) ORDER BY {order.by("g")} LIMIT ${n}
"""  # noqa: S608 - constants only
    # In the order of the walk, so that it is read from the same index.
    left = f"""
SELECT count(*) > ${q}::bigint AS more FROM (
  SELECT FROM goods g{where(found)} ORDER BY {order.by("g")} LIMIT ${q}::bigint + 1
) g
"""  # noqa: S608 - constants only
    return Statements(few, walked, left)
