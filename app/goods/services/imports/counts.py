"""How many lines of an import came to what."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Counts:
    """Lines by result."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: int = 0


async def counts_of(connection: Any, import_id: int) -> Counts:
    """Count the stored lines."""
    rows = await connection.fetch(
        "SELECT result, count(*) FROM import_lines WHERE import_id = $1 GROUP BY result", import_id
    )
    return Counts(**dict(map(tuple, rows)))
