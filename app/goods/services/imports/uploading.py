"""Taking a file in: its bytes go to the database as they arrive, for whoever will plan it.

Each piece is stored by itself. One transaction around a slow upload would hold back the change feed for as long.
"""

import json
from dataclasses import dataclass

from app.database.db import Database
from app.goods.imports.options import ImportOptions
from app.goods.models.documents import import_document
from app.goods.services.idempotency import Attempt, sql_and_values
from app.goods.services.origin import Origin
from app.goods.services.statement import Statement

_BEGIN = """
INSERT INTO imports (state, options, actor, request_id, created_at)
VALUES ('planning', $1::json, $2, $3, clock_timestamp()) RETURNING id
"""
_ADD = "INSERT INTO import_chunks (import_id, number, content) VALUES ($1, $2, $3)"
_ABANDON = "DELETE FROM imports WHERE id = $1 AND uploaded_at IS NULL"
_HEADERS = "json_build_object('Location', '/imports/' || id)"
_FINISH = Statement(
    ctes="""
WITH i AS (
  UPDATE imports SET uploaded_at = clock_timestamp(), bytes = $2::bigint WHERE id = $1::bigint RETURNING *
)""",
    result=f"SELECT i.id, {import_document('i')}::text AS document FROM i",  # noqa: S608 - constants only
    parameters=2,
    status="202",
    headers=_HEADERS,
    body="document",
    succeeded="true",
)


@dataclass(slots=True)
class Upload:
    """A file that is arriving."""

    database: Database
    import_id: int
    chunks: int = 0
    size: int = 0

    async def add(self, content: bytes) -> None:
        """Store the next piece. Raises what a write may raise."""
        await self.database.primary.fetch(_ADD, self.import_id, self.chunks, content)
        self.chunks += 1
        self.size += len(content)

    async def finish(self, attempt: Attempt | None) -> str:
        """Hand it over for planning, and give the import's JSON text."""
        sql, record = sql_and_values(_FINISH, attempt)
        [row] = await self.database.primary.fetch(sql, self.import_id, self.size, *record)
        document: str = row["document"]
        return document

    async def abandon(self) -> None:
        """Forget it."""
        await self.database.primary.fetch(_ABANDON, self.import_id)


async def begin_upload(database: Database, options: ImportOptions, origin: Origin) -> Upload:
    """A new import, without content yet."""
    [row] = await database.primary.fetch(_BEGIN, json.dumps(options.as_json()), origin.actor, origin.request_id)
    return Upload(database, row["id"])
