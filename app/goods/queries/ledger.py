"""Whether stock is what the ledger says: for the check that runs all the time, and for `goods prove`.

Each statement sees one moment, and whatever moves stock writes both books in one transaction, so writers that are
under way are never taken for a mistake.
"""

import json
from dataclasses import dataclass
from typing import Any

# A good is wrong when its stock is not the sum of its movements, or when the balance of one of them does not follow
# from those before. A good that is gone has no stock left, so its movements add up to 0.
_LOOK = """
WITH sums AS (
  SELECT goods_id, count(*) AS movements, sum(delta) AS total, min(id) FILTER (WHERE balance <> running) AS broken_at
  FROM (
    SELECT goods_id, id, delta, balance, sum(delta) OVER (PARTITION BY goods_id ORDER BY id) AS running
    FROM stock_movements WHERE {of_movements}
  ) m GROUP BY goods_id
), looked_at AS (
  SELECT coalesce(g.id, s.goods_id) AS goods_id, g.sku, coalesce(g.stock, 0) AS stock, coalesce(s.total, 0) AS ledger,
    s.broken_at, s.movements
  FROM (SELECT id, sku, stock FROM goods WHERE {of_goods}) g FULL JOIN sums s ON s.goods_id = g.id
)
SELECT count(*), coalesce(sum(movements), 0)::bigint,
  json_agg(json_build_array(goods_id, sku, stock, ledger, broken_at) ORDER BY goods_id)
    FILTER (WHERE stock <> ledger OR broken_at IS NOT NULL)::text
FROM looked_at
"""
# $1 and $2: ids above the first, up to the second
LOOK_AT_RANGE = _LOOK.format(of_goods="id > $1 AND id <= $2", of_movements="goods_id > $1 AND goods_id <= $2")
# $1 ids
LOOK_AT_THESE = _LOOK.format(of_goods="id = ANY ($1::bigint[])", of_movements="goods_id = ANY ($1::bigint[])")

# What a change says it did to stock, and what the ledger says of that change. Changes that are trimmed say nothing.
# $1 and $2: ids above the first, up to the second
LOOK_AT_CHANGES = """
SELECT count(*), json_agg(json_build_array(c.goods_id, c.sku, c.version, moved, coalesce(total, 0))
    ORDER BY c.goods_id, c.version) FILTER (WHERE moved <> coalesce(total, 0))::text
FROM (
  SELECT goods_id, sku, version,
    coalesce((after ->> 'stock')::bigint, 0) - coalesce((before ->> 'stock')::bigint, 0) AS moved
  FROM changes WHERE goods_id > $1 AND goods_id <= $2
) c LEFT JOIN (
  SELECT goods_id, goods_version, sum(delta) AS total
  FROM stock_movements WHERE goods_id > $1 AND goods_id <= $2 GROUP BY goods_id, goods_version
) m ON m.goods_id = c.goods_id AND m.goods_version = c.version
"""

LAST_ID = "SELECT greatest((SELECT max(id) FROM goods), (SELECT max(goods_id) FROM stock_movements), 0)"
LAST_POSITION = "SELECT coalesce(max(position), 0) FROM changes"
# The feed has no gaps and nothing comes into it later than it is read, so nothing that moved is passed by.
# $1 the position to start after, $2 limit
CHANGED = """
SELECT array_agg(DISTINCT goods_id), max(position) FROM (
  SELECT goods_id, position FROM changes WHERE position > $1 ORDER BY position LIMIT $2
) c
"""


@dataclass(frozen=True, slots=True)
class Wrong:
    """A good whose books disagree. `broken_at`: the first movement whose balance does not follow. `sku` None: gone."""

    goods_id: int
    sku: str | None
    stock: int
    ledger: int
    broken_at: int | None

    def __str__(self) -> str:
        """For people: what disagrees with what."""
        said = f"good {self.goods_id} ({self.sku or 'deleted'}): {self.stock} in stock, {self.ledger} by its ledger"
        return said if self.broken_at is None else f"{said}, whose movement {self.broken_at} has a wrong balance"


@dataclass(frozen=True, slots=True)
class Look:
    """What one look found: how many goods (those gone that have a ledger included) and movements, and what is wrong."""

    goods: int
    movements: int
    wrong: list[Wrong]

    @classmethod
    def of(cls, row: Any) -> "Look":
        """From the row of LOOK_AT_RANGE or LOOK_AT_THESE."""
        return cls(row[0], row[1], [Wrong(*found) for found in json.loads(row[2] or "[]")])
