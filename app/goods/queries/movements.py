"""The ledger of a good, page by page."""

from app.database.db import Database
from app.errors.domain import GoodsNotFound
from app.goods.models.documents import movement_document
from app.goods.schemas.fields import MAX_ID
from app.goods.schemas.stock import Reason
from app.metrics.goods import GoodsMetrics
from app.rest import cursors

# The ids of one good's movements ascend with its versions, because they are taken while it is locked.
# $1 good, $2 the id to stay below, $3 reason or null, $4 limit
MOVEMENTS = f"""
SELECT id, {movement_document("m")}::text FROM stock_movements m
WHERE goods_id = $1 AND id < $2 AND ($3::text IS NULL OR reason = $3)
ORDER BY id DESC LIMIT $4
"""  # noqa: S608 - constants only
EVER_EXISTED = """
SELECT EXISTS (SELECT FROM goods WHERE id = $1) OR EXISTS (SELECT FROM stock_movements WHERE goods_id = $1)
  OR EXISTS (SELECT FROM changes WHERE goods_id = $1)
"""


class Movements:
    """The movements of goods, those of deleted ones included, from the replica where there is one."""

    def __init__(self, database: Database, metrics: GoodsMetrics) -> None:
        self._primary = database.primary
        self._replica = database.replica
        self._metrics = metrics

    async def page(
        self, goods_id: int, *, reason: Reason | None, after: str | None, limit: int
    ) -> tuple[list[str], str | None]:
        """The JSON texts of up to `limit` movements, newest first, and the next page's token.

        Raises GoodsNotFound for a good that there never was, InvalidInput for a token of another list.
        """
        with self._metrics.operation("movements"):
            if not 0 < goods_id <= MAX_ID:
                raise GoodsNotFound
            scope = cursors.fingerprint("movements", goods_id, reason)
            below = MAX_ID if after is None else cursors.integer(after, scope, most=MAX_ID)
            rows = await self._replica.read(MOVEMENTS, goods_id, below, reason, limit + 1)
            # The replica may not know yet that there is such a good.
            if not rows and not (await self._primary.read(EVER_EXISTED, goods_id))[0][0]:
                raise GoodsNotFound
            more = len(rows) > limit
            return [row[1] for row in rows[:limit]], cursors.encode(scope, rows[limit - 1][0]) if more else None
