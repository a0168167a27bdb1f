"""The work on an import that a service was asked for, in a process of its own.

Reading a large file keeps a processor busy for seconds. In the service's own process all requests would feel it.
"""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from multiprocessing.connection import Connection
from typing import Any

import asyncpg

from app import __version__
from app.config.conf import Settings
from app.database.db import DatabaseAddress
from app.database.transactions import long_transaction
from app.errors.domain import GoodsApiError
from app.goods.imports.options import ImportOptions
from app.goods.imports.reading import ImportFileError, LineReader
from app.goods.services.imports.planning import plan, records_of
from app.goods.services.imports.running import STEPS, lock_of, run, set_state
from app.goods.services.origin import Origin
from app.logs.pipeline import configure_logging

_MOST_ATTEMPTS = 3
_BATCH = 1_000  # lines that are read before the database gets them
_STEP_OF_STATE = {step.during: name for name, step in STEPS.items()}

_BEGIN = """
UPDATE imports SET attempts = attempts + 1
WHERE id = $1 AND state IN ('planning', 'applying', 'undoing')
RETURNING state, attempts, options, bytes, step_actor, step_request_id
"""
_WRITTEN = """
SELECT count(*) FILTER (WHERE result = 'created'), count(*) FILTER (WHERE result = 'updated')
FROM import_lines WHERE import_id = $1 AND winning
"""


@dataclass(frozen=True, slots=True)
class Done:
    """How a step ended: the import's state, the problem it has, its lines by result, and the goods that it wrote."""

    state: str
    problem: str | None
    counts: dict[str, int]
    created: int = 0
    updated: int = 0


def work(settings: Settings, import_id: int, answer: Connection) -> None:
    """Do what the import's state asks for, and send Done; None when somebody else is at it. A process's main."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole terminal; the service ends this process
    configure_logging(level=settings.log_level, form=settings.log_format, version=__version__)
    answer.send(asyncio.run(step(settings, import_id)))


async def step(settings: Settings, import_id: int) -> Done | None:
    """Do what the import's state asks for."""
    async with _connected(settings) as beside:
        row = await beside.fetchrow(_BEGIN, import_id)
        if row is None:
            return None
        if row["attempts"] > _MOST_ATTEMPTS:
            await _give_up(beside, import_id, row["state"])
        elif row["state"] == "planning":
            await _plan(settings, beside, import_id, row)
        else:
            origin = Origin(row["step_actor"], row["step_request_id"])
            with suppress(GoodsApiError):  # somebody else has done it meanwhile
                await run(settings, import_id, _STEP_OF_STATE[row["state"]], origin)
        return await _done(beside, import_id)


async def _give_up(connection: Any, import_id: int, state: str) -> None:
    back = "failed" if state == "planning" else STEPS[_STEP_OF_STATE[state]].before
    detail = f"The step was begun {_MOST_ATTEMPTS} times and did not come to its end; nothing was written."
    await set_state(connection, import_id, back, {"type": "/problems/import-interrupted", "detail": detail})


async def _done(connection: Any, import_id: int) -> Done:
    row = await connection.fetchrow(
        "SELECT state, problem ->> 'type' AS problem, created, updated, unchanged, refused FROM imports WHERE id = $1",
        import_id,
    )
    problem = row["problem"] and row["problem"].removeprefix("/problems/")
    counts = {name: row[name] for name in ("created", "updated", "unchanged", "refused")}
    if problem or row["state"] not in ("applied", "undone"):
        return Done(row["state"], problem, counts)
    created, updated = await connection.fetchrow(_WRITTEN, import_id)
    return Done(row["state"], problem, counts, created if row["state"] == "applied" else 0, updated)


async def _plan(settings: Settings, beside: Any, import_id: int, row: Any) -> None:
    options = ImportOptions.from_json(json.loads(row["options"]))
    try:
        async with long_transaction(settings) as connection:
            if not await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", lock_of(import_id)):
                return
            state = await connection.fetchval("SELECT state FROM imports WHERE id = $1", import_id)
            if state == "planning":
                reader = LineReader(_stored_chunks(beside, import_id, row["bytes"]), options)
                await plan(connection, import_id, reader, _in_a_thread(reader))
    except ImportFileError as error:
        place = "" if error.line is None else f"Line {error.line}: "
        problem = {"type": "/problems/import-unreadable", "detail": f"{place}{error.detail}.", "line": error.line}
        await set_state(beside, import_id, "failed", problem)
    await beside.execute("DELETE FROM import_chunks WHERE import_id = $1", import_id)


async def _in_a_thread(reader: LineReader) -> AsyncIterator[tuple[Any, ...]]:
    """The reader's records, read in a thread, because its chunks come from a connection of this one."""
    loop = asyncio.get_running_loop()
    records = records_of(reader)
    with ThreadPoolExecutor(1) as thread:
        while batch := await loop.run_in_executor(thread, lambda: list(islice(records, _BATCH))):
            for record in batch:
                yield record


def _stored_chunks(connection: Any, import_id: int, total: int) -> Iterator[bytes]:
    """The file's pieces, to be iterated over in another thread than the current one."""
    loop = asyncio.get_running_loop()

    async def fetch(number: int, before: int) -> bytes | None:
        await connection.execute("UPDATE imports SET progress = $2 WHERE id = $1", import_id, before / (total or 1))
        content: bytes | None = await connection.fetchval(
            "SELECT content FROM import_chunks WHERE import_id = $1 AND number = $2", import_id, number
        )
        return content

    def chunks() -> Iterator[bytes]:
        number = before = 0
        while (content := asyncio.run_coroutine_threadsafe(fetch(number, before), loop).result()) is not None:
            yield content
            number, before = number + 1, before + len(content)

    return chunks()


@asynccontextmanager
async def _connected(settings: Settings) -> AsyncIterator[Any]:
    connection: Any = await asyncpg.connect(**DatabaseAddress.of(settings).connect_arguments())
    try:
        yield _Beside(connection)
    finally:
        await connection.close()


class _Beside:
    """A connection whose statements are transactions of their own, also through a pooler that parts what is not one."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def execute(self, sql: str, *arguments: Any) -> Any:
        async with self._connection.transaction():
            return await self._connection.execute(sql, *arguments)

    async def fetchrow(self, sql: str, *arguments: Any) -> Any:
        async with self._connection.transaction():
            return await self._connection.fetchrow(sql, *arguments)

    async def fetchval(self, sql: str, *arguments: Any) -> Any:
        async with self._connection.transaction():
            return await self._connection.fetchval(sql, *arguments)
