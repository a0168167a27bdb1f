"""Goods as they were at some moment.

What a good was then is what its first change after that moment found; if there is none, it is what the good is now.
So an answer needs no change from before the moment, and the oldest ones may have been trimmed.
"""

from datetime import datetime

from app.database.db import Database
from app.errors.domain import GoodsNotFound, HistoryTrimmed
from app.goods.models.documents import document
from app.goods.queries.goods import Found
from app.goods.schemas.fields import MAX_ID
from app.metrics.goods import GoodsMetrics

# `candidate` is the good that it can be; $2 is the moment. One row always: whether the feed reaches back so far.
_STATE = f"""
, edge AS (
  SELECT position > 1 AND at > $2 AS trimmed FROM changes WHERE position = (SELECT min(position) FROM changes)
), later AS (
  SELECT goods_id AS id, before AS document FROM changes
  WHERE goods_id = (SELECT id FROM candidate) AND version = (
    SELECT min(version) FROM changes WHERE goods_id = (SELECT id FROM candidate) AND at > $2)
), state AS (
  SELECT id, document FROM later
  UNION ALL
  SELECT g.id, {document("g")} FROM goods g JOIN candidate USING (id) WHERE NOT EXISTS (SELECT FROM later)
)
SELECT (SELECT trimmed FROM edge) AS trimmed, s.id, (s.document ->> 'version')::bigint AS version,
  s.document::text AS document, s.document ->> 'sku' AS sku
FROM (SELECT) one LEFT JOIN state s ON s.document IS NOT NULL
"""  # noqa: S608 - constants only
BY_ID = f"WITH candidate AS (SELECT $1::bigint AS id){_STATE}"
# Whoever had the SKU then is the next one to give it up, or has it still.
BY_SKU = f"""
WITH given_up AS (
  SELECT goods_id AS id FROM changes
  WHERE before ->> 'sku' = $1 AND (operation = 'delete' OR (operation = 'update' AND (before ->> 'sku') <> sku))
    AND at > $2
  ORDER BY at LIMIT 1
), candidate AS (
  SELECT id FROM given_up
  UNION ALL
  SELECT id FROM goods WHERE sku = $1 AND NOT EXISTS (SELECT FROM given_up)
){_STATE}"""  # noqa: S608 - constants only


class PastGoods:
    """Reads of the past."""

    def __init__(self, database: Database, metrics: GoodsMetrics) -> None:
        self._primary = database.primary
        self._metrics = metrics

    async def by_id(self, goods_id: int, moment: datetime) -> Found:
        """Raises GoodsNotFound where there was no such good at the moment, HistoryTrimmed where nobody knows."""
        with self._metrics.operation("as_of"):
            if not 0 < goods_id <= MAX_ID:
                raise GoodsNotFound
            return await self._one(BY_ID, goods_id, moment)

    async def by_sku(self, sku: str, moment: datetime) -> Found:
        """The good that had this SKU at the moment. Raises what `by_id` raises."""
        with self._metrics.operation("as_of"):
            return await self._one(BY_SKU, sku, moment)

    async def _one(self, sql: str, key: int | str, moment: datetime) -> Found:
        [row] = await self._primary.read(sql, key, moment)
        if row["trimmed"]:
            raise HistoryTrimmed
        if row["id"] is None or (isinstance(key, str) and row["sku"] != key):
            raise GoodsNotFound
        return Found(row["id"], row["version"], row["document"])
