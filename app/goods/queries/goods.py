"""Reading single goods: concurrent look-ups share one query."""

from dataclasses import dataclass

from app.database.batching import Batcher
from app.database.db import Database
from app.errors.domain import GoodsNotFound
from app.goods.models.documents import document
from app.goods.schemas.fields import MAX_ID
from app.metrics.goods import GoodsMetrics

_COLUMNS = f"g.id, g.version, {document('g')}::text AS document"
BY_ID = f"SELECT {_COLUMNS} FROM goods g WHERE g.id = ANY($1::bigint[])"  # noqa: S608 - constants only
BY_SKU = f"SELECT {_COLUMNS}, g.sku FROM goods g WHERE g.sku = ANY($1::text[])"  # noqa: S608 - constants only


@dataclass(frozen=True, slots=True)
class Found:
    """A good as it is stored: its JSON text, and what makes its entity tag."""

    id: int
    version: int
    document: str


class GoodsQueries:
    """Point reads, always from the primary: they see every write that was acknowledged before."""

    def __init__(self, database: Database, metrics: GoodsMetrics) -> None:
        self._primary = database.primary
        self._metrics = metrics
        self._ids: Batcher[int, Found] = Batcher(self._look_up_ids, patience=self._primary.connect_timeout)
        self._skus: Batcher[str, Found] = Batcher(self._look_up_skus, patience=self._primary.connect_timeout)

    async def by_id(self, goods_id: int) -> Found:
        """Raises GoodsNotFound, also for numbers that no id can be."""
        with self._metrics.operation("read"):
            found = await self._ids.get(goods_id) if 0 < goods_id <= MAX_ID else None
            if found is None:
                raise GoodsNotFound
            return found

    async def by_sku(self, sku: str) -> Found:
        """Raises GoodsNotFound."""
        with self._metrics.operation("read"):
            found = await self._skus.get(sku)
            if found is None:
                raise GoodsNotFound
            return found

    async def _look_up_ids(self, ids: list[int]) -> dict[int, Found]:
        rows = await self._primary.read(BY_ID, ids)
        return {row[0]: Found(row[0], row[1], row[2]) for row in rows}

    async def _look_up_skus(self, skus: list[str]) -> dict[str, Found]:
        rows = await self._primary.read(BY_SKU, skus)
        return {row[3]: Found(row[0], row[1], row[2]) for row in rows}
