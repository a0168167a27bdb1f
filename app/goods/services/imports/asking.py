"""Asking for a planned import to be applied, or for an applied one to be undone."""

from dataclasses import dataclass
from typing import Literal

from app.database.db import Database
from app.errors.domain import ImportNotFound, WrongImportState
from app.goods.models.documents import import_document
from app.goods.services.idempotency import Attempt, sql_and_values
from app.goods.services.origin import Origin
from app.goods.services.statement import Statement


@dataclass(frozen=True, slots=True)
class _Request:
    """What a step that is asked for begins with, and the state it leads over."""

    before: str
    during: str


_REQUESTS = {"apply": _Request("planned", "applying"), "undo": _Request("applied", "undoing")}
# $1 import, $2 the state that it must be in, $3 the one that it goes into, $4 actor, $5 request id
_ASK = Statement(
    ctes="""
WITH i AS (
  UPDATE imports SET state = $3::text, problem = NULL, progress = 0, attempts = 0, step_actor = $4::text,
    step_request_id = $5::text
  WHERE id = $1::bigint AND state = $2::text RETURNING *
)""",
    result=f"SELECT i.id, {import_document('i')}::text AS document FROM i",  # noqa: S608 - constants only
    parameters=5,
    status="202",
    headers="json_build_object('Location', '/imports/' || id)",
    body="document",
    succeeded="true",
)


async def ask_for(
    database: Database, import_id: int, step: Literal["apply", "undo"], origin: Origin, attempt: Attempt | None
) -> str:
    """Ask for a step, and give the import's JSON text. Raises ImportNotFound and WrongImportState."""
    sql, record = sql_and_values(_ASK, attempt)
    asked = _REQUESTS[step]
    values = (import_id, asked.before, asked.during, origin.actor, origin.request_id)
    rows = await database.primary.fetch(sql, *values, *record)
    if not rows:
        found = await database.primary.read("SELECT state FROM imports WHERE id = $1", import_id)
        if not found:
            raise ImportNotFound
        raise WrongImportState(found[0]["state"])
    document: str = rows[0]["document"]
    return document
