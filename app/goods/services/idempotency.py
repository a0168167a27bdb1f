"""Safe retries: an answer is kept with the change that it reports, and given again for the same key.

The record goes in with the change or not at all, so whoever finds none may try, and whoever finds one must not. A
second attempt that runs at the same time waits at the unique index until the first is over, is rolled back, and then
finds the record.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from app.database.db import Database
from app.errors.domain import GoodsApiError, IdempotencyKeyReused
from app.goods.services.statement import Statement
from app.metrics.goods import GoodsMetrics

log = logging.getLogger("goods.idempotency")

T = TypeVar("T")

_INTERVAL = 600.0  # seconds between two rounds of forgetting
_AT_A_TIME = 5_000  # records

_FIND = """
SELECT hash, status, headers::text, body FROM idempotency_records
WHERE caller = $1 AND method = $2 AND path = $3 AND key = $4
"""
_FORGET = f"""
DELETE FROM idempotency_records WHERE ctid IN (
  SELECT ctid FROM idempotency_records WHERE created_at < now() - make_interval(hours => $1) LIMIT {_AT_A_TIME}
)
RETURNING 1
"""  # noqa: S608 - constants only


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at something that a key names. `digest` is of the query and the body."""

    caller: str
    method: str
    path: str
    key: str
    digest: bytes

    @property
    def values(self) -> tuple[Any, ...]:
        """The parameters that Statement.recorded wants."""
        return (self.caller, self.method, self.path, self.key, self.digest)

    def with_digest(self, digest: bytes) -> "Attempt":
        """The same, for a body that was read as a stream."""
        return replace(self, digest=digest)


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer that was given before: `headers` is a JSON object."""

    status: int
    headers: str
    body: str


def sql_and_values(statement: Statement, attempt: Attempt | None) -> tuple[str, tuple[Any, ...]]:
    """The form of the statement that the attempt needs, and the values for the parameters that this adds."""
    return (statement.plain, ()) if attempt is None else (statement.recorded, attempt.values)


class Idempotency:
    """Looks up what was answered, before an attempt and again when it fails."""

    def __init__(self, database: Database, metrics: GoodsMetrics, *, hours: int) -> None:
        self._hours = hours
        self._primary = database.primary
        self._background = database.background
        self._metrics = metrics

    async def once(self, attempt: Attempt | None, perform: Callable[[], Awaitable[T]]) -> T | KeptAnswer:
        """Perform it, or give the answer of the attempt that did.

        Raises what `perform` raises, IdempotencyKeyReused for another body, IdempotencyKeyInUse when the first
        attempt is still under way after the deadline.
        """
        if attempt is None:
            return await perform()
        kept = await self._find(attempt)
        if kept is not None:
            return kept
        try:
            return await perform()
        except GoodsApiError:
            # Somebody may have done it while this attempt was judged by what they left.
            kept = await self._find(attempt)
            if kept is None:
                raise
            return kept

    async def _find(self, attempt: Attempt) -> KeptAnswer | None:
        rows = await self._primary.read(_FIND, attempt.caller, attempt.method, attempt.path, attempt.key)
        if not rows:
            return None
        digest, status, headers, body = rows[0]
        if digest != attempt.digest:
            raise IdempotencyKeyReused
        self._metrics.replays.inc()
        return KeptAnswer(status, headers, body)

    async def run(self) -> None:
        """Forget old answers every ten minutes, for ever."""
        while True:
            try:
                await self.forget()
            except GoodsApiError:
                pass  # the gauges report a database that does not answer
            except Exception:
                log.exception("old answers could not be forgotten", extra={"event": "idempotency.failed"})
            await asyncio.sleep(_INTERVAL)

    async def forget(self) -> None:
        """Forget them once."""
        while len(await self._background.fetch(_FORGET, self._hours)) == _AT_A_TIME:
            pass
