"""The keys of the deployment, in memory: a request is judged without asking the database."""

import asyncio
import hmac
import logging
from datetime import UTC, datetime

from app.access.keys import Key, digest_of
from app.access.statements import ALL, USED
from app.database.db import Database
from app.errors.domain import DatabaseUnavailable, GoodsApiError
from app.metrics.access import AccessMetrics

log = logging.getLogger("goods.access.keys")

_INTERVAL = 2.0  # seconds: a key that is revoked is refused after so long
_OLDEST = 30.0  # seconds: what is older is not relied upon, as keys may have been revoked
_NOTED = 30  # refreshes between two notes of when keys were used


class KeyDirectory:
    """Keeps a copy of all keys, refreshed every two seconds, and notes when each was last used."""

    def __init__(self, database: Database, metrics: AccessMetrics) -> None:
        self._background = database.background
        self._metrics = metrics
        self._keys: dict[bytes, Key] = {}
        self._used: dict[int, datetime] = {}

    def find(self, presented: str) -> Key | None:
        """The key that was presented, whatever it is still good for.

        Raises DatabaseUnavailable when the keys have not been read for too long.
        """
        if self._metrics.keys_age() > _OLDEST:
            raise DatabaseUnavailable
        digest = digest_of(presented)
        key = self._keys.get(digest)
        # The look-up is by a hash that the caller can't steer; the comparison takes the same time for any difference.
        return key if key is not None and hmac.compare_digest(key.digest, digest) else None

    def note_use(self, key: Key, moment: datetime) -> None:
        self._used[key.id] = moment

    async def run(self) -> None:
        """Refresh every two seconds, for ever."""
        rounds = 0
        while True:
            await asyncio.sleep(_INTERVAL)
            rounds += 1
            try:
                await self.refresh()
                if rounds % _NOTED == 0:
                    await self.write_uses()
            except GoodsApiError:
                pass  # the gauges report a database that does not answer
            except Exception:
                log.exception("the API keys could not be read", extra={"event": "keys.failed"})

    async def refresh(self) -> None:
        """Read all keys. Raises what the database raises."""
        rows = await self._background.read(ALL)
        self._keys = {row["hash"]: Key(row[0], row[1], row[2], row["hash"], row[4], row[5]) for row in rows}
        self._metrics.keys_read()

    async def write_uses(self) -> None:
        """Store when each key was last used, as far as this process knows. Raises what the database raises."""
        used, self._used = self._used, {}
        if used:
            moments = [moment.astimezone(UTC).isoformat() for moment in used.values()]
            await self._background.fetch(USED, list(used), moments)
