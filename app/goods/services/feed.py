"""What keeps the change feed going: giving changes their positions, knowing the end, and trimming the beginning."""

import asyncio
import logging
from contextlib import suppress

from app.database.db import Database, Pool
from app.errors.domain import GoodsApiError
from app.metrics.feed import FeedMetrics

log = logging.getLogger("goods.feed")

_AT_A_TIME = 10_000  # changes that are numbered or deleted in one statement
_IDLE = 1.0  # seconds between two looks
_FOLLOWED = 0.2  # the same, while somebody waits for what comes
_TRIMMING = 600.0  # seconds between two rounds of trimming

# $1 at most how many
NUMBER = "SELECT numbered, last FROM number_changes($1)"
# From the beginning up to the first change that is young enough; the last one stays, because the next position is
# counted from it. $1 days
TRIM = f"""
WITH oldest AS MATERIALIZED (
  SELECT position, at < now() - make_interval(days => $1) AND position < (SELECT max(position) FROM changes) AS old
  FROM changes WHERE position IS NOT NULL ORDER BY position LIMIT {_AT_A_TIME}
)
DELETE FROM changes WHERE position IN (
  SELECT position FROM oldest
  WHERE position < coalesce((SELECT min(position) FROM oldest WHERE NOT old), 9223372036854775807))
RETURNING 1
"""  # noqa: S608 - constants only


class Feed:
    """One process's part in the feed. All processes do the same; the database lets one at a time number."""

    def __init__(self, database: Database, metrics: FeedMetrics, *, retention: int | None) -> None:
        """`retention` is in days; None keeps every change."""
        self._primary = database.primary
        self._background = database.background
        self._metrics = metrics
        self._retention = retention
        self._last = 0
        self._moved = asyncio.Event()
        self._waiting = 0
        self._running: asyncio.Task[None] | None = None
        self._next: asyncio.Task[None] | None = None
        self.ended = False

    async def number(self) -> None:
        """What was committed before this call has its position when it returns, up to 10,000 changes.

        Callers that come while a round is under way share the next one. Raises what the database raises; when it takes
        its time, who wants to read gets what there is.
        """
        if self._next is None:
            self._next = asyncio.create_task(self._round(after=self._running))
            self._next.add_done_callback(_heard)
        with suppress(TimeoutError):
            async with asyncio.timeout(self._primary.connect_timeout):
                # Shielded: a caller that goes away takes nobody else's round along.
                await asyncio.shield(self._next)

    async def beyond(self, position: int, seconds: float) -> bool:
        """Wait until the feed's end is past `position`: whether it came to that within the time."""
        self._waiting += 1
        try:
            async with asyncio.timeout(seconds):
                while self._last <= position and not self.ended:
                    await self._moved.wait()
        except TimeoutError:
            return False
        finally:
            self._waiting -= 1
        return not self.ended

    def end(self) -> None:
        """Let nobody wait any more: the process is about to stop."""
        self.ended = True
        self._moved.set()

    async def run(self) -> None:
        """Number what happens, for ever."""
        trimming = 0.0
        loop = asyncio.get_running_loop()
        while True:
            try:
                while await self._number(self._background) == _AT_A_TIME:
                    pass
                self._metrics.caught_up()
                if self._retention is not None and loop.time() >= trimming:
                    await self.trim(self._retention)
                    trimming = loop.time() + _TRIMMING
            except GoodsApiError:
                pass  # the gauges report a database that does not answer, and the feed's lag grows
            except Exception:
                log.exception("the feed could not be numbered", extra={"event": "feed.failed"})
            await asyncio.sleep(_FOLLOWED if self._waiting else _IDLE)

    async def trim(self, days: int) -> None:
        """Delete the changes at the feed's beginning that are older than this."""
        while await self._background.fetch(TRIM, days):
            pass

    async def _round(self, *, after: asyncio.Task[None] | None) -> None:
        if after is not None:
            await asyncio.wait([after])
        self._running, self._next = self._next, None
        await self._number(self._primary)

    async def _number(self, pool: Pool) -> int:
        [(numbered, last)] = await pool.fetch(NUMBER, _AT_A_TIME)
        self._metrics.numbered(numbered, last)
        if last != self._last:
            self._last = last
            moved, self._moved = self._moved, asyncio.Event()
            moved.set()
        return int(numbered)


def _heard(task: asyncio.Task[None]) -> None:
    """Those who wait are told of an error; when all of them have gone, nobody needs to be."""
    if not task.cancelled():
        task.exception()
