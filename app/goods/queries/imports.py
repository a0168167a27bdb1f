"""Imports as they are answered."""

from typing import Any

from app.database.db import Database, Pool
from app.errors.domain import ImportNotFound
from app.goods.models.documents import import_document
from app.rest import cursors

# An upload that is still arriving is nobody's yet.
_ONE = f"SELECT {import_document('i')}::text FROM imports i WHERE id = $1 AND uploaded_at IS NOT NULL"  # noqa: S608 - constants only
_PAGE = f"""
SELECT {import_document("i")}::text, id FROM imports i
WHERE id < $1 AND uploaded_at IS NOT NULL ORDER BY id DESC LIMIT $2
"""  # noqa: S608 - constants only
_SCOPE = cursors.fingerprint("imports")
_NEWEST = 2**63 - 1


class Imports:
    """The imports there are. From the primary: who has just asked for a step wants to see it."""

    def __init__(self, database: Database) -> None:
        self.pool: Pool = database.primary

    async def one(self, import_id: int) -> str:
        """The import's JSON text. Raises ImportNotFound."""
        rows = await self.pool.read(_ONE, import_id)
        if not rows:
            raise ImportNotFound
        document: str = rows[0][0]
        return document

    async def page(self, *, after: str | None, limit: int) -> tuple[list[str], str | None]:
        """JSON texts, newest first, and the next page's token. Raises InvalidInput for a token of something else."""
        below: Any = _NEWEST
        if after is not None:
            [below] = cursors.decode(after, _SCOPE, length=1)
            if type(below) is not int or not 0 <= below <= _NEWEST:
                raise cursors.bad_position()
        rows = await self.pool.read(_PAGE, below, limit + 1)
        token = cursors.encode(_SCOPE, rows[limit - 1][1]) if len(rows) > limit else None
        return [row[0] for row in rows[:limit]], token
