"""Reading all goods that a filter leaves, page by page.

Not a snapshot: each good is as it was when its page was read. One statement over a whole catalogue would hold a
connection, and the database's oldest row versions, for as long as the slowest reader takes.
"""

from collections.abc import AsyncGenerator

from app.goods.queries.lists import GoodsLists
from app.goods.schemas.list import GoodsFilter, GoodsSelection
from app.metrics.goods import GoodsMetrics

PAGE = 500  # goods that are in memory at once


class GoodsExports:
    """Exports, from the replica where there is one. Between two pages no connection is held."""

    def __init__(self, lists: GoodsLists, metrics: GoodsMetrics) -> None:
        self._lists = lists
        self._metrics = metrics

    async def pages(self, selection: GoodsSelection) -> AsyncGenerator[list[str]]:
        """Give the JSON texts of up to PAGE goods at a time: at least once, and nothing when there are none.

        Raises Overloaded or DatabaseUnavailable, at any page. Close it when you do not go on to the end.
        """
        with self._metrics.operation("export"):
            wanted = GoodsFilter.model_construct(**selection.model_dump(include=_SELECTING), limit=PAGE)
            while True:
                page = await self._lists.read(wanted)
                yield page.documents
                if page.next is None:
                    return
                wanted = wanted.model_copy(update={"after": page.next})


_SELECTING = set(GoodsSelection.model_fields)
