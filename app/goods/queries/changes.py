"""The change feed and the history of a good, page by page. Both are read where they are written, not from a replica."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Protocol

from app.database.batching import Batcher
from app.database.db import Database
from app.errors.domain import CursorGone, DatabaseUnavailable, GoodsNotFound, Overloaded
from app.goods.models.documents import change_document
from app.goods.queries.movements import EVER_EXISTED
from app.goods.schemas.changes import LATEST
from app.goods.schemas.fields import MAX_ID
from app.metrics.feed import FeedMetrics
from app.metrics.goods import GoodsMetrics
from app.rest import cursors

_STREAMED = 500  # entries that a stream reads at a time
_HEARTBEAT = 15.0  # seconds after which a stream says something although nothing has changed
_AGAIN = 1.0  # seconds until a stream that could not read tries again

# $1 the position to start after, $2 limit. One row at least: what the feed's ends are goes with each.
PAGE = f"""
SELECT ends.first, ends.last, c.position, c.document
FROM (SELECT min(position) AS first, max(position) AS last FROM changes) ends
LEFT JOIN LATERAL (
  SELECT position, {change_document("changes")}::text AS document FROM changes
  WHERE position > $1 ORDER BY position LIMIT $2
) c ON true
ORDER BY c.position
"""  # noqa: S608 - constants only
# $1 good, $2 the version to stay below, $3 limit
HISTORY = f"""
SELECT version, {change_document("c")}::text FROM changes c
WHERE goods_id = $1 AND version < $2 ORDER BY version DESC LIMIT $3
"""  # noqa: S608 - constants only


class Tail(Protocol):
    """Who gives changes their positions, and knows the last one. `ended` when nothing is to be waited for any more."""

    @property
    def ended(self) -> bool: ...
    async def number(self) -> None: ...
    async def beyond(self, position: int, seconds: float) -> bool: ...


@dataclass(frozen=True, slots=True)
class Page:
    """Entries as (position, JSON text); the position to go on after, and whether there is more already."""

    entries: list[tuple[int, str]]
    next: int
    more: bool


class Changes:
    """Reads the feed, and each good's part of it."""

    def __init__(
        self, database: Database, metrics: GoodsMetrics, feed_metrics: FeedMetrics, tail: Tail, *, max_streams: int
    ) -> None:
        self._primary = database.primary
        self._metrics = metrics
        self._feed_metrics = feed_metrics
        self._tail = tail
        self._max_streams = max_streams
        self._streams = 0
        # Streams that have seen everything all wait for the same next page: one query is for all of them.
        self._pages: Batcher[int, Page] = Batcher(self._look_up, patience=self._primary.connect_timeout)

    async def page(self, after: int, *, limit: int) -> Page:
        """Up to `limit` changes after a position; LATEST is the end, where nothing has happened yet.

        Everything that was acknowledged before is in the feed, unless more has just happened than is numbered at a
        time. Raises CursorGone.
        """
        with self._metrics.operation("changes"):
            await self._tail.number()
            if after == LATEST:
                [row] = await self._primary.read(PAGE, MAX_ID, 1)
                return Page([], row[1] or 0, more=False)
            return await self._read(after, limit)

    async def stream(self, after: int) -> AsyncGenerator[list[tuple[int, str]]]:
        """What comes after a position (LATEST is the end), and then whatever happens, in pieces.

        An empty piece is a sign of life. The first piece has been read when this returns, so what fails by then is
        raised here: what `page` raises, and Overloaded when there are `max_streams` already.
        """
        if self._streams >= self._max_streams:
            raise Overloaded("This instance serves as many streams of changes as it may.")
        return self._follow(await self.page(after, limit=_STREAMED))

    async def _follow(self, page: Page) -> AsyncGenerator[list[tuple[int, str]]]:
        self._streams += 1
        self._feed_metrics.streams.inc()
        try:
            async with aclosing(self._pages_from(page)) as pages:
                async for entries in pages:
                    yield entries
        finally:
            self._streams -= 1
            self._feed_metrics.streams.dec()

    async def _pages_from(self, page: Page) -> AsyncGenerator[list[tuple[int, str]]]:
        # A database that does not answer is waited for: what has begun well ends only with the client or with us, and
        # where the feed does not go on from the reader.
        while not self._tail.ended:
            if page.entries:
                yield page.entries
            elif not await self._tail.beyond(page.next, _HEARTBEAT):
                yield []
                continue
            try:
                found = await self._pages.get(page.next)
            except (DatabaseUnavailable, Overloaded):
                await asyncio.sleep(_AGAIN)
                page = Page([], page.next, more=False)
                continue
            if found is None:
                return
            page = found

    async def history(self, goods_id: int, *, after: str | None, limit: int) -> tuple[list[str], str | None]:
        """The JSON texts of up to `limit` changes of a good, newest first, and the next page's token.

        It does not wait for numbering. Raises GoodsNotFound for a good that there never was, InvalidInput for a token
        of another list.
        """
        with self._metrics.operation("history"):
            if not 0 < goods_id <= MAX_ID:
                raise GoodsNotFound
            scope = cursors.fingerprint("history", goods_id)
            below = MAX_ID if after is None else cursors.integer(after, scope, most=MAX_ID)
            rows = await self._primary.read(HISTORY, goods_id, below, limit + 1)
            if not rows and not (await self._primary.read(EVER_EXISTED, goods_id))[0][0]:
                raise GoodsNotFound
            more = len(rows) > limit
            return [row[1] for row in rows[:limit]], cursors.encode(scope, rows[limit - 1][0]) if more else None

    async def _look_up(self, positions: list[int]) -> dict[int, Page]:
        pages = {}
        for position in positions:
            with suppress(CursorGone):
                pages[position] = await self._read(position, _STREAMED)
        return pages

    async def _read(self, after: int, limit: int) -> Page:
        rows = await self._primary.read(PAGE, after, limit + 1)
        first, last = rows[0][0] or 1, rows[0][1] or 0
        if after < first - 1:
            raise CursorGone("The feed does not go back to this cursor any more.")
        if after > last:
            raise CursorGone(
                "The feed has not come to this cursor: it is of another deployment, or the database was restored to an"
                " earlier state."
            )
        entries = [(row[2], row[3]) for row in rows[:limit] if row[2] is not None]
        return Page(entries, entries[-1][0] if entries else after, more=len(rows) > limit)
