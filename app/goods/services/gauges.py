"""The gauges about goods and the database: refreshed by a task, so that a scrape never touches the database."""

import asyncio
import logging

from app.database.db import Database
from app.errors.domain import GoodsApiError
from app.metrics.database import DatabaseMetrics
from app.metrics.goods import GoodsMetrics

log = logging.getLogger("goods.gauges")

# Counting has a bound, so that the refresh costs the same at a million goods as at a hundred thousand: 50 ms. The value
# of stock is added up over as many blocks as hold about a hundred thousand goods, and taken times what was left out.
# $1 the stock below which a good counts as low
GAUGES = """
SELECT
  CASE WHEN c.reltuples > 100000 THEN c.reltuples::bigint
       ELSE (SELECT count(*) FROM (SELECT 1 FROM goods LIMIT 100001) counted) END,
  (SELECT count(*) FROM (SELECT 1 FROM goods WHERE stock < $1::integer LIMIT 100000) low),
  (SELECT count(*) FROM (SELECT 1 FROM goods WHERE stock = 0 LIMIT 100000) gone),
  (SELECT coalesce(sum(price * stock), 0) * greatest(1, c.reltuples / 100000) FROM goods TABLESAMPLE SYSTEM
     ((SELECT least(100, 10000000 / greatest(reltuples, 1)) FROM pg_class WHERE oid = 'goods'::regclass))),
  pg_database_size(current_database())
FROM pg_class c WHERE c.oid = 'goods'::regclass
"""


class GaugeRefresher:
    """Runs until it is cancelled; a database that does not answer costs a log line when that begins and ends."""

    def __init__(
        self,
        database: Database,
        goods: GoodsMetrics,
        state: DatabaseMetrics,
        *,
        low_stock_below: int,
        seconds: float,
    ) -> None:
        self._database = database
        self._goods = goods
        self._state = state
        self._low_stock_below = low_stock_below
        self._seconds = seconds
        self._failing = False

    async def run(self) -> None:
        """Refresh every `seconds`, for ever."""
        while True:
            await self.refresh()
            await asyncio.sleep(self._seconds)

    async def refresh(self) -> None:
        """Once. Never raises what the database may do to us."""
        self._state.sample(self._database.pools)
        try:
            ((total, low, out, value, size),) = await self._database.background.read(GAUGES, self._low_stock_below)
        except GoodsApiError:
            self._report(failing=True)
            return
        except Exception:
            log.exception("the gauges could not be refreshed", extra={"event": "gauges.failed"})
            self._report(failing=True)
            return
        self._goods.in_catalogue.set(total)
        self._goods.low_stock.set(low)
        self._goods.out_of_stock.set(out)
        self._goods.stock_value.set(value)
        self._state.size_bytes.set(size)
        self._state.refreshed()
        self._report(failing=False)

    def _report(self, *, failing: bool) -> None:
        self._state.up.set(0 if failing else 1)
        if failing and not self._failing:
            log.warning("the database does not answer", extra={"event": "database.lost"})
        elif self._failing and not failing:
            log.warning("the database answers again", extra={"event": "database.back"})
        self._failing = failing
