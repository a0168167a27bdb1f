"""The categories in use, with how many goods each has."""

import json

from app.database.db import Database
from app.metrics.goods import GoodsMetrics
from app.rest import cursors

# An index-only scan; grouped in the index's own order.
CATEGORIES = """
SELECT category, count(*) FROM goods
WHERE $1::text IS NULL OR category > $1
GROUP BY category ORDER BY category LIMIT $2
"""
_SCOPE = cursors.fingerprint("categories")


class Categories:
    """Categories by code point; goods without one count under the empty name."""

    def __init__(self, database: Database, metrics: GoodsMetrics) -> None:
        self._replica = database.replica
        self._metrics = metrics

    async def page(self, *, after: str | None, limit: int) -> tuple[list[str], str | None]:
        """The JSON texts of up to `limit` categories, and the next page's token."""
        with self._metrics.operation("categories"):
            position = None if after is None else _name(after)
            rows = await self._replica.read(CATEGORIES, position, limit + 1)
            documents = [f'{{"name":{json.dumps(row[0])},"count":{row[1]}}}' for row in rows[:limit]]
            more = len(rows) > limit
            return documents, cursors.encode(_SCOPE, rows[limit - 1][0]) if more else None


def _name(token: str) -> str:
    (name,) = cursors.decode(token, _SCOPE, length=1)
    if not isinstance(name, str) or "\0" in name or any("\ud800" <= c <= "\udfff" for c in name):
        raise cursors.bad_position()
    return name
