"""What an import goes through: planned, applied, undone. Each step is one transaction, its new state included.

Whoever works on an import holds its advisory lock for the time of the transaction. So when a process dies in the
middle, PostgreSQL takes back all that it did and frees the lock, and the state says what is left to do.
"""

import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import asyncpg

from app.config.conf import Settings
from app.database.transactions import long_transaction
from app.errors.domain import ImportNotFound, WrongImportState
from app.goods.imports.options import ImportOptions
from app.goods.imports.reading import LineReader
from app.goods.services.imports.applying import conflicts_with_plan, write_plan
from app.goods.services.imports.counts import Counts
from app.goods.services.imports.planning import plan
from app.goods.services.imports.undoing import conflicts_with_result, take_back
from app.goods.services.origin import Origin

_LOCKS = 7_160_300_000_000  # plus the import's id: numbers that nothing else in this database locks
_ATTEMPTS = 5  # at a step that others got in the way of


@dataclass(frozen=True, slots=True)
class Step:
    """From one state over another to a third, unless lines are found that no longer fit."""

    before: str
    during: str
    after: str
    conflicts: Callable[[Any, int], Awaitable[int]]
    write: Callable[[Any, int, Origin], Awaitable[None]]


Name: TypeAlias = Literal["apply", "undo"]
STEPS: dict[Name, Step] = {
    "apply": Step("planned", "applying", "applied", conflicts_with_plan, write_plan),
    "undo": Step("applied", "undoing", "undone", conflicts_with_result, take_back),
}


async def plan_file(
    settings: Settings, options: ImportOptions, reader: LineReader, origin: Origin
) -> tuple[int, Counts]:
    """Plan the file behind `reader` and give the import's id and what it would do.

    Raises ImportFileError when the file can't be read (nothing is stored then), and the driver's errors.
    """
    async with long_transaction(settings) as connection:
        import_id: int = await connection.fetchval(
            "INSERT INTO imports (state, options, actor, request_id, created_at, uploaded_at)"
            " VALUES ('planning', $1::json, $2, $3, clock_timestamp(), clock_timestamp()) RETURNING id",
            json.dumps(options.as_json()), origin.actor, origin.request_id,
        )  # fmt: skip
        return import_id, await plan(connection, import_id, reader)


async def run(settings: Settings, import_id: int, name: Name, origin: Origin) -> int:
    """Apply or undo an import, and give the number of lines that no longer fit: nothing was changed if there are any.

    Waits for whoever is at work on it. Raises ImportNotFound, WrongImportState and the driver's errors.
    """
    step = STEPS[name]
    for _ in range(_ATTEMPTS - 1):
        # Somebody created one of the goods, or won: looked at anew, it is a conflict or no trouble at all.
        with suppress(asyncpg.UniqueViolationError, asyncpg.DeadlockDetectedError):
            return await _attempt(settings, import_id, step, origin)
    return await _attempt(settings, import_id, step, origin)


async def _attempt(settings: Settings, import_id: int, step: Step, origin: Origin) -> int:
    async with long_transaction(settings) as connection:
        await connection.execute("SELECT pg_advisory_xact_lock($1)", lock_of(import_id))
        state = await connection.fetchval("SELECT state FROM imports WHERE id = $1", import_id)
        if state is None:
            raise ImportNotFound
        if state not in (step.before, step.during):
            raise WrongImportState(state)
        conflicts = await step.conflicts(connection, import_id)
        if conflicts:
            detail = f"Lines that count on values that have changed since: {conflicts}. Nothing was written."
            await set_state(connection, import_id, step.before, {"type": "/problems/import-drift", "detail": detail})
        else:
            await step.write(connection, import_id, origin)
            await set_state(connection, import_id, step.after, None)
        return conflicts


def lock_of(import_id: int) -> int:
    """The key of the advisory lock that stands for work on an import."""
    return _LOCKS + import_id


async def set_state(connection: Any, import_id: int, state: str, problem: dict[str, Any] | None) -> None:
    """Leave an import in a state, at the end of a step."""
    await connection.execute(
        "UPDATE imports SET state = $2::text, problem = $3::json, progress = 1,"
        " applied_at = CASE WHEN $2::text = 'applied' THEN coalesce(applied_at, clock_timestamp()) ELSE applied_at END,"
        " undone_at = CASE WHEN $2::text = 'undone' THEN clock_timestamp() END WHERE id = $1",
        import_id, state, None if problem is None else json.dumps(problem),
    )  # fmt: skip
