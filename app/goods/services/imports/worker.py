"""The task that sees to imports: begins what is asked for, and takes up what a process that died has left."""

import asyncio
import logging
import multiprocessing
from typing import Any

from app.config.conf import Settings
from app.database.db import Database
from app.errors.domain import GoodsApiError
from app.goods.services.imports.working import Done, work
from app.metrics.goods import GoodsMetrics

log = logging.getLogger("goods.imports")

_INTERVAL = 5.0  # seconds between two looks, when nobody says that there is something to do
_CLEANING = 120  # looks between two cleanings
_UNDER_WAY = """
SELECT id FROM imports WHERE state IN ('planning', 'applying', 'undoing')
AND (state <> 'planning' OR uploaded_at IS NOT NULL) ORDER BY id LIMIT 10
"""
# An upload that nobody finished, and what is older than it is kept. One at a time: each may have a million lines.
_CLEAN = """
DELETE FROM imports WHERE id = (
  SELECT id FROM imports WHERE (uploaded_at IS NULL AND created_at < now() - interval '1 day')
    OR (state IN ('planned', 'applied', 'undone', 'failed') AND created_at < now() - make_interval(days => $1))
  ORDER BY id LIMIT 1
) RETURNING id
"""


class ImportWorker:
    """Runs until it is cancelled; then a step that is under way is stopped, and taken up again by whoever is next."""

    def __init__(self, settings: Settings, database: Database, metrics: GoodsMetrics) -> None:
        self._settings = settings
        self._background = database.background
        self._metrics = metrics
        self._wanted = asyncio.Event()

    def wake(self) -> None:
        """Say that there is something to do."""
        self._wanted.set()

    async def run(self) -> None:
        """See to imports, for ever."""
        looks = 0
        while True:
            self._wanted.clear()
            try:
                if looks % _CLEANING == 0:
                    await self.clean()
                for [import_id] in await self._background.read(_UNDER_WAY):
                    await self._see_to(import_id)
            except GoodsApiError:
                pass  # the gauges report a database that does not answer
            except Exception:
                log.exception("imports could not be seen to", extra={"event": "imports.failed"})
            looks += 1
            try:
                async with asyncio.timeout(_INTERVAL):
                    await self._wanted.wait()
            except TimeoutError:
                pass

    async def clean(self) -> None:
        """Delete imports that are older than they are kept, and uploads that were never finished."""
        while await self._background.fetch(_CLEAN, self._settings.import_retention):
            pass

    async def _see_to(self, import_id: int) -> None:
        done = await _in_a_process(self._settings, import_id)
        if done is None:
            return
        self._metrics.import_ended(done.state, done.problem, done.counts)
        self._metrics.created.inc(done.created)
        self._metrics.updated.inc(done.updated)
        problem = f" ({done.problem})" if done.problem else ""
        log.info("import %d is %s%s", import_id, done.state, problem, extra={"event": "import.step"})


async def _in_a_process(settings: Settings, import_id: int) -> Done | None:
    """Run `work` in a process of its own, which ends when the task is cancelled."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=work, args=(settings, import_id, theirs), daemon=True, name=f"import {import_id}")
    process.start()
    theirs.close()
    try:
        await _readable(process.sentinel)
        return ours.recv() if ours.poll() else None
    except EOFError:
        return None
    finally:
        process.kill()
        process.join()
        process.close()
        ours.close()


async def _readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[Any] = loop.create_future()
    loop.add_reader(descriptor, ready.set_result, None)
    try:
        await ready
    finally:
        loop.remove_reader(descriptor)
