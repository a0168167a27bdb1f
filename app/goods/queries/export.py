"""Reading all goods that a filter leaves, part by part.

Not a snapshot: each good is as it was when its part was read. One statement over a whole catalogue would hold a
connection, and the database's oldest row versions, for as long as the slowest reader takes.
"""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, TypeAlias

from app.database.db import Database
from app.goods.models.documents import csv_line, document
from app.goods.queries.filters import Filters, conditions, where
from app.goods.queries.lists import GoodsLists
from app.goods.schemas.export import FORMATS, GoodsExport
from app.goods.schemas.list import GoodsFilter, GoodsSelection
from app.metrics.goods import GoodsMetrics

PAGE = 1000  # goods; two parts are in memory at once. 500 take an eighth longer in all, 2,000 a twentieth less

Format: TypeAlias = Literal["csv", "ndjson"]
_LINES = {"csv": csv_line("g"), "ndjson": f"{document('g')}::text || E'\\n'"}


@dataclass(frozen=True, slots=True)
class Part:
    """The lines of up to PAGE goods, and how many they are."""

    text: bytes
    goods: int


class GoodsExports:
    """Exports, from the replica where there is one. A connection is held while a part is read, not while it is sent.

    PostgreSQL writes the lines of what is listed: Python takes three times as long for each.
    """

    def __init__(self, database: Database, lists: GoodsLists, metrics: GoodsMetrics) -> None:
        self._replica = database.replica
        self._lists = lists
        self._metrics = metrics

    async def parts(self, wanted: GoodsExport) -> AsyncGenerator[Part]:
        """Give all lines, part by part: at least once, and nothing when there are none.

        Raises Overloaded or DatabaseUnavailable, at any part. Close it when you do not go on to the end.
        """
        with self._metrics.operation("export"):
            selection = GoodsFilter.model_construct(**wanted.model_dump(include=_SELECTING), limit=PAGE)
            read = self._listed if wanted.q is None else self._searched
            part, place = await read(selection, wanted.format, None)
            following: asyncio.Task[tuple[Part, Any]] | None = None
            try:
                while True:
                    yield part
                    if place is None:
                        return
                    part, place = await (following or read(selection, wanted.format, place))
                    if place is not None:
                        # The database makes the next part while this one is sent.
                        following = asyncio.create_task(read(selection, wanted.format, place))
                        following.add_done_callback(_heard)
            finally:
                if following is not None:
                    following.cancel()

    async def _listed(self, selection: GoodsFilter, form: Format, after: Any) -> tuple[Part, Any]:
        """A part in the order of ids, and the id that the next one comes after, if there may be one."""
        filters = Filters.of(selection)
        [[text, goods, last]] = await self._replica.read(_sql(filters.names, form), *filters.values, after or 0, PAGE)
        return Part(text or b"", goods), last if goods == PAGE else None

    async def _searched(self, selection: GoodsFilter, form: Format, after: Any) -> tuple[Part, Any]:
        page = await self._lists.read(selection.model_copy(update={"after": after}))
        return Part(FORMATS[form].write(page.documents), len(page.documents)), page.next


@lru_cache
def _sql(filters: tuple[str, ...], form: Format) -> str:
    """The lines of one part, as bytes that are sent as they are.

    Parameters: the filters' values, the id before, the limit.
    """
    found = conditions(filters)
    n = 1 + sum("$" in condition for condition in found)
    matching = where([*found, f"g.id > ${n}::bigint"])
    page = f"SELECT g.id, {_LINES[form]} AS line FROM goods g{matching} ORDER BY g.id LIMIT ${n + 1}"  # noqa: S608 - constants only
    lines = "convert_to(string_agg(line, '' ORDER BY id), 'UTF8')"
    return f"SELECT {lines}, count(*), max(id) FROM ({page}) page"  # noqa: S608 - the same


def _heard(reading: "asyncio.Task[Any]") -> None:
    """Nobody may be left to hear how it ended."""
    if not reading.cancelled():
        reading.exception()


_SELECTING = set(GoodsSelection.model_fields)
