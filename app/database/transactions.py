"""Long transactions: on a connection of their own, so that no request waits for one that they hold."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from app.config.conf import Settings
from app.database.db import DatabaseAddress

_LOCK_TIMEOUT = "30s"  # for rows that others hold: a request that changes a good lets go of it within seconds


@asynccontextmanager
async def long_transaction(settings: Settings, *, snapshot: bool = False) -> AsyncIterator[Any]:
    """A connection inside a transaction that may take its time; it commits if the block ends without an error.

    With `snapshot` all its statements see the same moment, and none may write. Raises the driver's errors.
    """
    connection: Any = await asyncpg.connect(**DatabaseAddress.of(settings).connect_arguments())
    isolation = "repeatable_read" if snapshot else None
    try:
        async with connection.transaction(isolation=isolation, readonly=snapshot):
            await connection.execute("SET LOCAL statement_timeout = 0")
            await connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            await connection.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
            yield connection
    finally:
        await connection.close()
