"""Creating goods: those that are asked for at the same time go in with one statement.

A row costs PostgreSQL a third of what it costs alone when sixteen go in together, and the service a tenth: one round
trip, one flush of the log, one turn of each trigger (figures: docs/decisions/0016-goods-are-created-together.md).
"""

import asyncio
import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.database.batching import Batcher
from app.database.db import Pool
from app.database.errors import is_rolled_back
from app.errors.domain import SkuTaken
from app.goods.schemas.goods import GoodsCreate
from app.goods.services.idempotency import Attempt, sql_and_values
from app.goods.services.origin import Origin
from app.goods.services.statements import CREATE
from app.goods.services.written import Written

_MOST = 64  # goods in one statement
# Characters: a longer description can hold a thousand new words, which the others would wait for.
_LONG = 1_000
# How long a good may wait for a lock together with others, before each is created alone: whoever creates the same SKU
# holds it until they commit, which with an import can take minutes.
_PATIENCE = "100ms"
# Seconds: what has failed later than this is not tried again, for a second deadline would follow the first.
_SOON = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class NewGoods:
    """One good to be created, and for whom."""

    body: GoodsCreate
    origin: Origin


class _Apart(enum.Enum):
    """What is to be done with a good that could not go in with others."""

    ALONE = enum.auto()


class Creating:
    """Creates goods. What is wrong with one of them, or keeps it waiting, is no concern of the others."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._batches: Batcher[NewGoods, Written | _Apart] = Batcher(
            self._together, size=_MOST, patience=pool.connect_timeout
        )

    async def create(self, new: NewGoods, attempt: Attempt | None) -> Written:
        """Raises SkuTaken. What it gives has been committed."""
        if attempt is not None or len(new.body.description) > _LONG:
            return await self._alone(new, attempt)
        created = await self._batches.get(new)
        if created is _Apart.ALONE:
            # In its own request, so that neither the others nor the next batches wait for it.
            return await self._alone(new)
        if created is None:
            raise SkuTaken
        return created

    async def _alone(self, new: NewGoods, attempt: Attempt | None = None) -> Written:
        sql, record = sql_and_values(CREATE, attempt)
        rows = await self._pool.fetch(sql, *_values([new]), None, *record)
        if not rows:
            raise SkuTaken
        _, *good = rows[0]
        return Written(*good)

    async def _together(self, wanted: list[NewGoods]) -> Mapping[NewGoods, Written | _Apart]:
        """The goods that were created; of two with the same SKU the first has it. If none was, for all to try alone."""
        by_sku: dict[str, NewGoods] = {}
        for new in wanted:
            by_sku.setdefault(new.body.sku, new)
        began = asyncio.get_running_loop().time()
        try:
            rows = await self._pool.fetch(CREATE.plain, *_values(list(by_sku.values())), _PATIENCE)
        except Exception as error:
            if not is_rolled_back(error) or asyncio.get_running_loop().time() - began > _SOON:
                raise
            return dict.fromkeys(wanted, _Apart.ALONE)
        return {by_sku[sku]: Written(*good) for sku, *good in rows}


def _values(goods: list[NewGoods]) -> list[list[Any]]:
    """The arrays that the statement takes."""
    return [
        [new.body.sku for new in goods],
        [new.body.name for new in goods],
        [new.body.description for new in goods],
        [new.body.category for new in goods],
        [new.body.price for new in goods],
        [new.body.stock for new in goods],
        [new.origin.actor for new in goods],
        [new.origin.request_id for new in goods],
    ]
