"""Moving stock: one function, one statement, one transaction. What is returned has been committed."""

from collections.abc import Sequence

from app.database.db import Database
from app.errors.domain import (
    Fault,
    GoodsNotFound,
    PreconditionFailed,
    StockTooHigh,
    StockTooLow,
    json_pointer,
)
from app.goods.schemas.fields import MAX_ID, MAX_STOCK
from app.goods.schemas.stock import Basket, StockMove
from app.goods.services.idempotency import Attempt, sql_and_values
from app.goods.services.origin import Origin
from app.goods.services.stock_statements import BASKET, MOVE
from app.goods.services.written import Written
from app.metrics.goods import GoodsMetrics
from app.rest.conditions import Conditions

_TOO_MANY = f"brings the good over {MAX_STOCK} pieces"


class StockService:
    """The movements of the ledger that callers ask for."""

    def __init__(self, database: Database, metrics: GoodsMetrics) -> None:
        self._primary = database.primary
        self._metrics = metrics

    async def move(
        self,
        goods_id: int,
        body: StockMove,
        *,
        conditions: Conditions,
        origin: Origin,
        attempt: Attempt | None = None,
    ) -> Written:
        """Give the movement, under the id and the new version of its good.

        Raises GoodsNotFound, PreconditionFailed, StockTooLow, StockTooHigh.
        """
        sql, record = sql_and_values(MOVE, attempt)
        with self._metrics.operation("stock"):
            if not 0 < goods_id <= MAX_ID:
                raise GoodsNotFound
            rows = await self._primary.fetch(
                sql,
                goods_id,
                conditions.only_versions,
                conditions.not_versions,
                origin.actor,
                origin.request_id,
                body.delta,
                body.reason,
                body.reference,
                *record,
            )
            if not rows:
                raise GoodsNotFound
            verdict, current, available, _, version, document = rows[0]
            if verdict == "precondition-failed":
                raise PreconditionFailed(current)
            self._raise_on(verdict, body.reason, requested=-body.delta, available=available, lines=["#/delta"])
        self._metrics.stock_moved(body.reason)
        return Written(goods_id, version, document)

    async def move_all(self, basket: Basket, *, origin: Origin, attempt: Attempt | None = None) -> str:
        """Give the answer's JSON text.

        Raises GoodsNotFound, StockTooLow, StockTooHigh: with a place for each line that is to blame.
        """
        sql, record = sql_and_values(BASKET, attempt)
        with self._metrics.operation("basket"):
            (row,) = await self._primary.fetch(
                sql,
                [_storable_id(line.goods_id) for line in basket.lines],
                [line.sku for line in basket.lines],
                [line.delta for line in basket.lines],
                origin.actor,
                origin.request_id,
                basket.reason,
                basket.reference,
                *record,
            )
            verdict, refused = row["verdict"], row["refused_lines"] or []
            if verdict == "goods-not-found":
                places = (json_pointer("lines", n, basket.lines[n].named_by) for n in refused)
                raise GoodsNotFound([Fault("pointer", place, "names no good") for place in places])
            self._raise_on(
                verdict,
                basket.reason,
                requested=row["requested"],
                available=row["available"],
                lines=[json_pointer("lines", n, "delta") for n in refused],
            )
        self._metrics.stock_moved(basket.reason, len(basket.lines))
        document: str = row["document"]
        return document

    def _raise_on(self, verdict: str, reason: str, *, requested: int, available: int, lines: Sequence[str]) -> None:
        """`lines` are the JSON pointers of the deltas that are to blame; the numbers are of the first."""
        if verdict == "stock-too-low":
            self._metrics.stock_refused(reason)
            faults = [Fault("pointer", pointer, "takes more pieces than there are") for pointer in lines]
            raise StockTooLow(faults, requested=requested, available=available)
        if verdict == "stock-too-high":
            raise StockTooHigh([Fault("pointer", pointer, _TOO_MANY) for pointer in lines])


def _storable_id(goods_id: int | None) -> int | None:
    """The id, or 0, which no good has, for a number that the column can't hold."""
    return goods_id if goods_id is None or 0 < goods_id <= MAX_ID else 0
