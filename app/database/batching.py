"""Concurrent look-ups by key share one query.

Thirty-two clients that each ask for one good are one `WHERE id = ANY(...)` instead of thirty-two round trips
(docs/decisions/0003-batched-point-reads.md has the figures).
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Generic, TypeVar

from app.errors.domain import DatabaseUnavailable

Key = TypeVar("Key")
Value = TypeVar("Value")


class Batcher(Generic[Key, Value]):
    """Collects the keys that arrive while queries are under way, and asks for all of them at once.

    A batch takes only keys that were asked for before its query is sent, so a look-up always sees every write
    that was acknowledged before it began. `lookup` gives the found values by key; a key without a value is
    simply not in it. At most `width` queries run at a time, each for at most `size` keys. When they all hang, who
    waits for one of them to end gives up after at most `patience` seconds: otherwise the deadline of a look-up
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
        self._waiting: dict[Key, list[asyncio.Future[Value | None]]] = {}
        self._scheduled = False
        self._running: set[asyncio.Task[None]] = set()
        self._giving_up: asyncio.TimerHandle | None = None

    async def get(self, key: Key) -> Value | None:
        """The value of `key`, or None. Raises what the look-up raised, or DatabaseUnavailable."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Value | None] = loop.create_future()
        self._waiting.setdefault(key, []).append(future)
        if not self._scheduled:
            if len(self._running) < self._width:
                # Not at once: requests that came in with the same turn of the loop join this batch.
                self._scheduled = True
                loop.call_soon(self._start)
            elif self._giving_up is None:
                self._giving_up = loop.call_later(self._patience, self._give_up)
        return await future

    def _start(self) -> None:
        self._scheduled = False
        if self._giving_up is not None:
            self._giving_up.cancel()
            self._giving_up = None
        batch = self._waiting
        if len(batch) <= self._size:
            self._waiting = {}
        else:
            keys = list(batch)[: self._size]
            batch = {key: self._waiting.pop(key) for key in keys}
            self._giving_up = asyncio.get_running_loop().call_later(self._patience, self._give_up)
        # A task of its own: a caller that goes away cancels its own wait and never the others' query.
        task = asyncio.create_task(self._run(batch))
        self._running.add(task)
        task.add_done_callback(self._finished)

    async def _run(self, batch: dict[Key, list[asyncio.Future[Value | None]]]) -> None:
        try:
            found = await self._lookup(list(batch))
        except Exception as error:  # noqa: BLE001 - whatever it is, each caller has to get it
            for future in _unanswered(batch):
                future.set_exception(error)
            return
        for key, futures in batch.items():
            for future in futures:
                if not future.done():
                    future.set_result(found.get(key))

    def _give_up(self) -> None:
        self._giving_up = None
        waiting, self._waiting = self._waiting, {}
        for future in _unanswered(waiting):
            future.set_exception(DatabaseUnavailable())

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if self._waiting and not self._scheduled:
            self._start()


def _unanswered(
    batch: dict[Key, list[asyncio.Future[Value | None]]],
) -> list[asyncio.Future[Value | None]]:
    return [future for futures in batch.values() for future in futures if not future.done()]
