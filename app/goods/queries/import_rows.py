"""The lines of an import, each with what it would change or did."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

FIELDS = ("name", "description", "category", "price", "stock")
Result = Literal["created", "updated", "unchanged", "refused", "conflict"]

_ROWS = """
SELECT * FROM import_lines WHERE import_id = $1 AND line > $2{condition} ORDER BY line LIMIT $3
"""


@dataclass(frozen=True, slots=True)
class ImportRow:
    """One line: `changes` are the fields that it writes, each as (before, after); before is None for a new good."""

    line: int
    result: str
    winning: bool
    sku: str | None
    goods_id: int | None
    changes: Mapping[str, tuple[Any, Any]]
    problem: str | None


async def import_rows(
    connection: Any, import_id: int, *, result: Result | None = None, after: int = 0, limit: int
) -> list[ImportRow]:
    """Up to `limit` lines after line `after`, in the file's order: all, or those with one result."""
    condition = {None: "", "conflict": " AND conflict"}.get(result, " AND result = $4")
    values = [result] if "$4" in condition else []
    rows = await connection.fetch(_ROWS.format(condition=condition), import_id, after, limit, *values)
    return [_row(row) for row in rows]


def _row(row: Any) -> ImportRow:
    changes: dict[str, tuple[Any, Any]] = {}
    if row["winning"] and row["result"] == "created":
        changes = {field: (None, row[field]) for field in FIELDS if row[field] is not None}
    elif row["winning"]:
        changes = {
            field: (row[f"before_{field}"], row[field]) for field in FIELDS if row[f"before_{field}"] is not None
        }
    return ImportRow(row["line"], row["result"], row["winning"], row["sku"], row["goods_id"], changes, row["problem"])
