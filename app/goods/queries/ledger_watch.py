"""The check of the ledger that runs all the time."""

import asyncio
import logging
from collections.abc import Iterable

from app.database.db import Database
from app.errors.domain import DatabaseUnavailable, GoodsApiError
from app.goods.queries.ledger import CHANGED, LAST_ID, LAST_POSITION, LOOK_AT_RANGE, LOOK_AT_THESE, Look, Wrong
from app.metrics.ledger import LedgerMetrics

log = logging.getLogger("goods.ledger")

_CHANGES = 2_000  # entries of the feed whose goods are looked at together
_WIDEST = 20_000  # ids in one step of the sweep
_STEP = 0.2  # seconds that a step of the sweep should take
_SWEEPING = 1.0  # seconds of each look that go into the sweep
_REMEMBERED = 1_000  # goods


class LedgerWatch:
    """Looks, every so often, at all goods that have changed since, and at a part of all others.

    The first finds what goes wrong on the way that everything takes; the second, in time, what somebody did to the
    tables past the service. Goods that were found wrong are looked at each time, until they are right again.
    """

    def __init__(self, database: Database, metrics: LedgerMetrics, *, seconds: float) -> None:
        self._background = database.background
        self._metrics = metrics
        self._seconds = seconds
        self._position: int | None = None
        self._swept = 0
        self._width = _WIDEST // 10
        self._wrong: dict[int, Wrong] = {}

    async def run(self) -> None:
        """Look every `seconds`, for ever."""
        while True:
            try:
                await self.look()
            except GoodsApiError:
                pass  # the gauges report a database that does not answer, and the age of what is known grows
            except Exception:
                log.exception("the ledger could not be looked at", extra={"event": "ledger.failed"})
            await asyncio.sleep(self._seconds)

    async def look(self) -> None:
        """Once: at what was wrong, at what has changed, and at the next part of the rest."""
        if self._wrong:
            await self._look_at(list(self._wrong))
        await self._look_at_changed()
        await self._sweep()
        self._metrics.looked(len(self._wrong))

    async def _look_at_changed(self) -> None:
        if self._position is None:
            [[self._position]] = await self._background.read(LAST_POSITION)
        while True:
            [[goods_ids, last]] = await self._background.read(CHANGED, self._position, _CHANGES)
            if not goods_ids:
                return
            await self._look_at(goods_ids)
            self._position = last

    async def _look_at(self, goods_ids: list[int]) -> None:
        [row] = await self._background.read(LOOK_AT_THESE, goods_ids)
        self._found(Look.of(row), goods_ids)

    async def _sweep(self) -> None:
        """Go on over the ids for a while, in steps as wide as is quick: some goods have many movements."""
        loop = asyncio.get_running_loop()
        until = loop.time() + _SWEEPING
        [[last]] = await self._background.read(LAST_ID)
        while loop.time() < until:
            begun, high = loop.time(), self._swept + self._width
            try:
                [row] = await self._background.read(LOOK_AT_RANGE, self._swept, high)
            except DatabaseUnavailable:
                self._width = max(1, self._width // 8)
                raise
            self._found(Look.of(row), range(self._swept + 1, high + 1))
            self._width = max(1, min(_WIDEST, int(self._width * _STEP / max(loop.time() - begun, _STEP / 4))))
            self._swept = high
            if high >= last:
                self._swept = 0
                self._metrics.swept()
                return

    def _found(self, look: Look, among: Iterable[int]) -> None:
        wrong = {found.goods_id: found for found in look.wrong}
        for goods_id in [known for known in self._wrong if known in among and known not in wrong]:
            del self._wrong[goods_id]
            extra = {"event": "ledger.mended", "goods_id": goods_id}
            log.warning("good %d: its stock is what its ledger says again", goods_id, extra=extra)
        for goods_id, found in wrong.items():
            if goods_id not in self._wrong and len(self._wrong) < _REMEMBERED:
                log.error("%s", found, extra={"event": "ledger.mismatch", "goods_id": goods_id})
                self._wrong[goods_id] = found
