"""Concurrent look-ups by key share one query.

Thirty-two clients that each ask for one good are one `WHERE id = ANY(...)` instead of thirty-two round trips
(docs/decisions/0003-batched-point-reads.md has the figures).
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextvars import Context
from itertools import islice
from typing import Generic, TypeVar

from app.errors.domain import DatabaseUnavailable

Key = TypeVar("Key")
Value = TypeVar("Value")


class _Wait(Generic[Value]):
    """Who waits for one key's value, and since when in the loop's time."""

    __slots__ = ("futures", "since")

    def __init__(self, since: float) -> None:
        self.since = since
        self.futures: list[asyncio.Future[Value | None]] = []

    def unanswered(self) -> list[asyncio.Future[Value | None]]:
        return [future for future in self.futures if not future.done()]


class Batcher(Generic[Key, Value]):
    """Collects the keys that arrive while queries are under way, and asks for all of them at once.

    A batch takes only keys that were asked for before its query is sent, so a look-up always sees every write
    that was acknowledged before it began. `lookup` gives the found values by key; a key without a value is
    simply not in it. At most `width` queries run at a time, each for at most `size` keys. When they all hang, who
    waits for one of them to end gives up after `patience` seconds: otherwise the deadline of a look-up
    would be twice that of a query.
    """

    def __init__(
        self,
        lookup: Callable[[list[Key]], Awaitable[Mapping[Key, Value]]],
        *,
        width: int = 2,
        size: int = 500,
        patience: float = 1.5,
    ) -> None:
        self._lookup = lookup
        self._width = width
        self._size = size
        self._patience = patience
        self._waiting: dict[Key, _Wait[Value]] = {}  # who waits longest comes first
        self._scheduled = False
        self._running: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def get(self, key: Key) -> Value | None:
        """The value of `key`, or None. Raises what the look-up raised, or DatabaseUnavailable."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Value | None] = loop.create_future()
        wait = self._waiting.get(key)
        if wait is None:
            wait = self._waiting[key] = _Wait(loop.time())
        wait.futures.append(future)
        if not self._scheduled:
            if len(self._running) < self._width:
                # Not at once: requests that came in with the same turn of the loop join this batch.
                self._scheduled = True
                loop.call_soon(self._start)
            elif self._timer is None:
                self._timer = loop.call_later(self._patience, self._give_up)
        return await future

    def _start(self) -> None:
        self._scheduled = False
        while self._waiting and len(self._running) < self._width:
            batch = self._waiting
            if len(batch) <= self._size:
                self._waiting = {}
            else:
                keys = list(islice(batch, self._size))
                batch = {key: self._waiting.pop(key) for key in keys}
            # A task of its own: a caller that goes away cancels its own wait and never the others' query. Without a
            # request's context, for it is no one's.
            task = asyncio.get_running_loop().create_task(self._run(batch), context=Context())
            self._running.add(task)
            task.add_done_callback(self._finished)
        if self._waiting and self._timer is None:
            self._give_up()

    async def _run(self, batch: dict[Key, _Wait[Value]]) -> None:
        try:
            found = await self._lookup(list(batch))
        except Exception as error:  # noqa: BLE001 - whatever it is, each caller has to get it
            for wait in batch.values():
                for future in wait.unanswered():
                    future.set_exception(error)
            return
        for key, wait in batch.items():
            value = found.get(key)
            for future in wait.futures:
                if not future.done():
                    future.set_result(value)

    def _give_up(self) -> None:
        """Tell those who have waited long enough, and look again when the next will have."""
        loop = asyncio.get_running_loop()
        self._timer = None
        while self._waiting:
            key, wait = next(iter(self._waiting.items()))
            left = wait.since + self._patience - loop.time()
            if left > 0:
                self._timer = loop.call_later(left, self._give_up)
                return
            del self._waiting[key]
            for future in wait.unanswered():
                future.set_exception(DatabaseUnavailable())

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if self._waiting and not self._scheduled:
            self._start()
