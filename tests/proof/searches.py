"""The forty searches that are proven and measured: common words, misspelt ones, SKUs, and what is not there."""

import re
from collections.abc import Sequence
from typing import Any

LAST = -1
# The query, which page, and whether all that match must be sorted: many do, and yet too few lie near.
SEARCHES: list[tuple[str, int, bool]] = [
    ("q=lantern", 1, False),
    ("q=LANTERN&sort=-id&limit=1", 1, False),
    ("q=white&limit=500", 1, False),
    ("q=white&sort=-stock", 200, False),
    ("q=with&sort=-id&limit=500", 400, False),
    ("q=the", LAST, False),
    ("q=white metal lantern", 1, False),
    ("q=lantern WHITE metal&limit=500", 3, False),
    ("q=quillon 37", 1, False),
    ("q=quillon 37&sort=name&limit=1", 300, False),
    ("q=hollen&sort=-price", 1, False),
    ("q=hollen&sort=updated_at", 100, False),
    ("q=a pillar candle ivory", 1, False),
    ("q=rechargeable battery 1,900 mAh&sort=price", 2, False),
    ("q=nosuchthing", 1, False),
    ("q=lantern nosuchthing", 1, False),
    ("q=latern", 1, False),
    ("q=latern&sort=-price&limit=500", 1, False),
    ("q=whit metl lantren", 1, False),
    ("q=rechargable batery AAA", 3, False),
    ("q=galvansied lantern&sort=name", 1, False),
    ("q=stor", 1, False),
    ("q=hex&sort=-id", 2, False),
    ("q=LAN-0001-500", 1, False),
    ("q=lan0001500", 1, False),
    ("q=LAN-0001-77", 1, False),
    ("q=LAN-0001&sort=-price", 5, False),
    ("q=LAN", 1, False),
    ("q=lan-00&limit=500&sort=stock", 20, False),
    ("q=SCC-3X20-T-500-9", 1, False),
    ("q=white&category=Lighting", 50, False),
    ("q=white&category=Lighting&in_stock=false&sort=name", 1, False),
    ("q=white&category=Nothing of the kind", 1, False),
    ("q=lantern&in_stock=false&sort=-updated_at", 1, False),
    ("q=brass&min_price=30&max_price=31&sort=price", 1, False),
    ("q=with&min_price=150&sort=price&limit=500", 1, False),
    ("q=red&sort=price", 1, False),
    ("q=nails&sort=-price", 2, False),
    ("q=LED&sort=name&limit=500", 1, False),
    ("q=lantern&category=Candles", 1, False),
]


class Recorder:
    """Reads from the pool, and remembers what was sent."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self.sent: list[tuple[str, tuple[Any, ...]]] = []

    async def read(self, sql: str, *arguments: Any) -> Sequence[Any]:
        self.sent.append((sql, arguments))
        rows: Sequence[Any] = await self._pool.read(sql, *arguments)
        return rows


def literal(argument: Any) -> str:
    """A statement's argument as SQL text."""
    if isinstance(argument, list):
        argument = "{" + ",".join('"' + re.sub(r'(["\\])', r"\\\1", str(word)) + '"' for word in argument) + "}"
    return "'" + str(argument).replace("'", "''") + "'"
