"""The lines of an import, each with what it would change or did."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from app.database.db import Database
from app.errors.domain import ImportNotFound
from app.rest import cursors

FIELDS = ("name", "description", "category", "price", "stock")
Result = Literal["created", "updated", "unchanged", "refused", "conflict"]

_ROWS = """
SELECT * FROM import_lines WHERE import_id = $1 AND line > $2{condition} ORDER BY line LIMIT $3
"""


_REFUSED = """
SELECT line, raw FROM import_lines WHERE import_id = $1 AND result = 'refused' AND line > $2 ORDER BY line LIMIT $3
"""
_AT_A_TIME = 500  # lines


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
    connection: Any, import_id: int, *, result: Result | None = None, after: int = 0, limit: int, winning: bool = False
) -> list[ImportRow]:
    """Up to `limit` lines after line `after`, in the file's order: all, or those with one result, or that win."""
    condition = {None: "", "conflict": " AND conflict"}.get(result, " AND result = $4")
    condition += " AND winning" if winning else ""
    values = [result] if "$4" in condition else []
    rows = await connection.fetch(_ROWS.format(condition=condition), import_id, after, limit, *values)
    return [_row(row) for row in rows]


class ImportRows:
    """The lines of imports, page by page."""

    def __init__(self, database: Database) -> None:
        self._pool = database.primary

    async def page(
        self, import_id: int, *, result: Result | None, after: str | None, limit: int
    ) -> tuple[list[ImportRow], str | None]:
        """Lines in the file's order, and the next page's token.

        Raises ImportNotFound, and InvalidInput for a token of another list.
        """
        scope = cursors.fingerprint("import rows", import_id, result)
        beyond = 0
        if after is not None:
            [beyond] = cursors.decode(after, scope, length=1)
            if type(beyond) is not int or not 0 <= beyond < 2**63:
                raise cursors.bad_position()
        await self._known(import_id)
        found = await import_rows(self._pool, import_id, result=result, after=beyond, limit=limit + 1)
        token = cursors.encode(scope, found[limit - 1].line) if len(found) > limit else None
        return found[:limit], token

    async def refused(self, import_id: int) -> AsyncGenerator[bytes]:
        """The refused lines as they came, under the file's header."""
        [[header]] = await self._pool.read("SELECT header FROM imports WHERE id = $1", import_id)
        yield b"" if header is None else f"{header}\n".encode()
        line = 0
        while rows := await self._pool.read(_REFUSED, import_id, line, _AT_A_TIME):
            yield "".join(f"{row['raw']}\n" for row in rows).encode()
            line = rows[-1]["line"]

    async def _known(self, import_id: int) -> None:
        if not await self._pool.read("SELECT FROM imports WHERE id = $1", import_id):
            raise ImportNotFound


def _row(row: Any) -> ImportRow:
    changes: dict[str, tuple[Any, Any]] = {}
    if row["winning"] and row["result"] == "created":
        changes = {field: (None, row[field]) for field in FIELDS if row[field] is not None}
    elif row["winning"]:
        changes = {
            field: (row[f"before_{field}"], row[field]) for field in FIELDS if row[f"before_{field}"] is not None
        }
    return ImportRow(row["line"], row["result"], row["winning"], row["sku"], row["goods_id"], changes, row["problem"])
