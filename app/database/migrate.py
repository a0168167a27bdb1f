"""Bring a database to the schema of this release: safe to run from several places at once, and cheap to repeat.

First comes a look at the stored head without any lock; only when something is missing, a transaction that
waits for its turn under an advisory lock of its own (which ends with it, so PgBouncer does no harm).
"""

import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import asyncpg

from app.config.conf import Settings
from app.database.db import DatabaseAddress

log = logging.getLogger("goods.migrate")

_MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 7_160_205_110  # any number that nothing else in this database locks
_LOCK_TIMEOUT = "10s"  # for a table that long transactions hold: rather fail than queue every client behind us
_STATEMENT_TIMEOUT = "15min"

# The wait for another instance's migration may be as long as a migration: a deadline on locks is for tables only.
_TAKE_TURN = (
    f"SET LOCAL statement_timeout = '{_STATEMENT_TIMEOUT}'",
    "SET LOCAL lock_timeout = 0",
    f"SELECT pg_advisory_xact_lock({_LOCK})",
)

Outcome = Literal["migrated", "up to date", "newer"]


def known_revisions() -> list[str]:
    """The revisions of this release, oldest first: their files are numbered."""
    return sorted(path.name.split("_")[0] for path in (_MIGRATIONS / "versions").glob("[0-9]*_*.py"))


def head() -> str:
    """The revision that this release needs."""
    return known_revisions()[-1]


async def stored_revision(connection: Any) -> str | None:
    """The database's revision; None when it has never been migrated."""
    try:
        revision: str | None = await connection.fetchval("SELECT version_num FROM alembic_version")
    except asyncpg.UndefinedTableError:
        return None
    return revision


async def migrate(settings: Settings) -> Outcome:
    """Migrate to this release's head.

    A head that this release does not know is left alone ("newer"): an older release may start on it, which is
    what makes a rollback possible. Raises the driver's errors.
    """
    address = DatabaseAddress.of(settings, host=settings.db_migration_host)
    async with _connected(address, timeout=max(10.0, settings.connect_timeout)) as connection:
        revision = await stored_revision(connection)
        if revision is not None and revision not in known_revisions():
            log.warning(
                "the database is at revision %s, which this release does not know: nothing migrated",
                revision,
                extra={"event": "migrate.newer"},
            )
            return "newer"
        await _set_role_deadlines(connection, settings)
        if revision == head():
            log.info("the schema is up to date at %s", revision, extra={"event": "migrate.unchanged"})
            return "up to date"
    await run_alembic(address, head())
    log.info("migrated to %s", head(), extra={"event": "migrate.done"})
    return "migrated"


@asynccontextmanager
async def _connected(address: DatabaseAddress, *, timeout: float) -> AsyncIterator[Any]:  # noqa: ASYNC109 - seconds for the driver
    connection = await asyncpg.connect(**address.connect_arguments(), timeout=timeout)
    try:
        yield connection
    finally:
        await connection.close(timeout=timeout)


async def run_alembic(address: DatabaseAddress, revision: str, *, down: bool = False) -> None:
    """Run Alembic up (or down) to `revision`, in one transaction, under the migrations' own lock.

    Raises the driver's errors.
    """
    # Its plugins introduce themselves; one line of ours is enough.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    from alembic import command  # noqa: PLC0415 - a third of a second that an up-to-date start need not spend
    from alembic.config import Config  # noqa: PLC0415 - the same
    from sqlalchemy import URL, text  # noqa: PLC0415 - the same
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415 - the same
    from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415 - the same
    from sqlalchemy.pool import NullPool  # noqa: PLC0415 - the same

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))

    def apply(connection: Any) -> None:
        config.attributes["connection"] = connection
        (command.downgrade if down else command.upgrade)(config, revision)

    engine = create_async_engine(
        URL.create("postgresql+asyncpg"), connect_args=address.connect_arguments(), poolclass=NullPool
    )
    try:
        async with engine.begin() as connection:
            for statement in (*_TAKE_TURN, f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'"):
                await connection.execute(text(statement))
            await connection.run_sync(apply)
    except DBAPIError as error:
        raise error.driver_exception from None
    finally:
        await engine.dispose()


async def _set_role_deadlines(connection: Any, settings: Settings) -> None:
    """Give our role its time-outs in this database.

    They can't be set per session without breaking behind PgBouncer in transaction mode, and not per
    transaction without two more round trips; so the role carries them.
    """
    if await _outdated_deadlines(connection, settings):
        # In turn: PostgreSQL answers two that change one role at a time with an internal error.
        async with connection.transaction():
            for statement in _TAKE_TURN:
                await connection.execute(statement)
            for statement in await _outdated_deadlines(connection, settings):
                await connection.execute(statement)


async def _outdated_deadlines(connection: Any, settings: Settings) -> list[str]:
    """The statements that set what is not as it is configured."""
    wanted = {
        "statement_timeout": _milliseconds(settings.statement_timeout),
        "lock_timeout": _milliseconds(settings.lock_timeout),
        "idle_in_transaction_session_timeout": _milliseconds(settings.statement_timeout * 2),
    }
    row = await connection.fetchrow(
        "SELECT current_user AS role, current_database() AS database,"
        " (SELECT s.setconfig FROM pg_db_role_setting s"
        "  JOIN pg_roles r ON r.oid = s.setrole JOIN pg_database d ON d.oid = s.setdatabase"
        "  WHERE r.rolname = current_user AND d.datname = current_database()) AS settings"
    )
    stored = set(row["settings"] or ())
    role = f"ROLE {_quoted(row['role'])} IN DATABASE {_quoted(row['database'])}"
    return [f"ALTER {role} SET {name} = '{value}'" for name, value in wanted.items() if f"{name}={value}" not in stored]


def _milliseconds(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"


def _quoted(identifier: str) -> str:
    return '"' + re.sub('"', '""', identifier) + '"'
