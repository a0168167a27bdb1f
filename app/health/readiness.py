"""Whether the service can do its work: its database answers, at a schema that this release knows."""

import asyncio

from app.database.db import Database
from app.database.migrate import known_revisions
from app.errors.domain import DatabaseUnavailable, NotReady
from app.health.lifecycle import Lifecycle

_REVISION = "SELECT max(version_num) FROM alembic_version"


class Readiness:
    """Asks the database, within `deadline` seconds, over a pool of its own: callers' requests can't starve it."""

    def __init__(self, database: Database, lifecycle: Lifecycle, *, deadline: float) -> None:
        self._database = database
        self._lifecycle = lifecycle
        self._deadline = deadline
        self._oldest = known_revisions()[-1]

    async def check(self) -> None:
        """Raises NotReady or DatabaseUnavailable."""
        if self._lifecycle.draining:
            raise NotReady("This instance is shutting down.")
        try:
            async with asyncio.timeout(self._deadline):
                rows = await self._database.background.read(_REVISION)
        except TimeoutError:
            raise DatabaseUnavailable from None
        # Revisions are numbered: a newer one is fine, which is what makes a rollback possible.
        if not rows or (rows[0][0] or "") < self._oldest:
            raise NotReady("The database's schema is older than this release needs: run `goods migrate`.")
