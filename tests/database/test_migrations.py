"""A database comes to the schema of this release: from anywhere, from several places at once, and back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from app.access.tables import access_keys
from app.application import create_app
from app.config.conf import Settings
from app.database import migrate as migrations
from app.database.db import DatabaseAddress
from app.database.embedded import EmbeddedAddress
from app.database.migrate import head, known_revisions, migrate, run_alembic
from app.database.tables import metadata
from app.goods.models import goods, idempotency, imports
from tests.conftest import settings_for, until
from tests.serving import serving

# Importing a module of tables registers them.
_TABLES = (goods.goods, idempotency.idempotency_records, imports.imports, access_keys)
assert {table.metadata for table in _TABLES} == {metadata}

_NAME = 'Migrations "of" this'  # a name that needs its quotes, and has some

# Everything that pg_catalog says about our tables, one line each.
_SCHEMA = r"""
WITH ours AS (
  SELECT oid, relname FROM pg_class
  WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 'alembic_version'
)
SELECT format('column %s.%s %s: %s, not null %s, default %s, identity %s, generated %s, collation %s',
    o.relname, row_number() OVER (PARTITION BY o.oid ORDER BY a.attnum), a.attname,
    format_type(a.atttypid, a.atttypmod), a.attnotnull,
    coalesce(pg_get_expr(d.adbin, d.adrelid), 'none'), a.attidentity, a.attgenerated,
    coalesce(l.collname, 'none')) AS line
FROM ours o JOIN pg_attribute a ON a.attrelid = o.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = o.oid AND d.adnum = a.attnum
LEFT JOIN pg_collation l ON l.oid = a.attcollation
UNION ALL
SELECT format('constraint %s %s: %s', o.relname, c.conname, pg_get_constraintdef(c.oid))
FROM ours o JOIN pg_constraint c ON c.conrelid = o.oid
UNION ALL
SELECT 'index ' || pg_get_indexdef(i.indexrelid) FROM ours o JOIN pg_index i ON i.indrelid = o.oid
UNION ALL
SELECT format('trigger %s', pg_get_triggerdef(t.oid))
FROM ours o JOIN pg_trigger t ON t.tgrelid = o.oid AND NOT t.tgisinternal
UNION ALL
SELECT format('sequence %s: %s %s %s', s.seqrelid::regclass, s.seqtypid::regtype, s.seqincrement, s.seqcache)
FROM pg_sequence s
UNION ALL
SELECT format('function %s %s', oid::regprocedure, md5(prosrc)) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
ORDER BY line
"""
_ROLE_SETTINGS = """
SELECT setconfig FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
WHERE d.datname = current_database()
"""


@pytest.fixture
async def empty(postgres: EmbeddedAddress, connection: Any) -> AsyncIterator[Settings]:
    """Settings of a database of the test's own that has nothing in it."""
    quoted = _NAME.replace('"', '""')
    await connection.execute(f'CREATE DATABASE "{quoted}"')
    yield settings_for(postgres, DB_NAME=_NAME)
    await connection.execute(f'DROP DATABASE "{quoted}" WITH (FORCE)')


@asynccontextmanager
async def session(settings: Settings) -> AsyncIterator[Any]:
    opened = await asyncpg.connect(**DatabaseAddress.of(settings).connect_arguments())
    try:
        yield opened
    finally:
        await opened.close()


async def schema_of(settings: Settings) -> list[str]:
    async with session(settings) as opened:
        return [row["line"] for row in await opened.fetch(_SCHEMA)]


@asynccontextmanager
async def engine_of(settings: Settings) -> AsyncIterator[AsyncEngine]:
    arguments = DatabaseAddress.of(settings).connect_arguments()
    engine = create_async_engine(URL.create("postgresql+asyncpg"), connect_args=arguments, poolclass=NullPool)
    yield engine
    await engine.dispose()


async def test_up_down_up_leaves_the_same_schema(empty: Settings) -> None:
    address = DatabaseAddress.of(empty)
    assert await migrate(empty) == "migrated"
    first = await schema_of(empty)
    assert any(line.startswith("column goods.") for line in first)
    await run_alembic(address, "base", down=True)
    assert await schema_of(empty) == [], "down leaves nothing behind"
    assert await migrate(empty) == "migrated"
    assert await schema_of(empty) == first


async def test_one_step_down_leaves_the_schema_of_the_release_before(empty: Settings) -> None:
    address, before = DatabaseAddress.of(empty), known_revisions()[-2]
    await run_alembic(address, before)
    first = await schema_of(empty)
    await migrate(empty)
    assert await schema_of(empty) != first
    await run_alembic(address, before, down=True)
    assert await schema_of(empty) == first


async def test_migrating_again_changes_nothing(empty: Settings) -> None:
    await migrate(empty)
    first = await schema_of(empty)
    assert await migrate(empty) == "up to date"
    assert await schema_of(empty) == first


async def test_several_that_migrate_at_once_all_succeed_and_it_is_applied_once(empty: Settings) -> None:
    outcomes = await asyncio.gather(*(migrate(empty) for _ in range(6)))
    assert set(outcomes) <= {"migrated", "up to date"}
    assert outcomes.count("migrated") >= 1
    async with session(empty) as opened:
        assert await opened.fetch("SELECT version_num FROM alembic_version") == [(head(),)]


async def test_new_deadlines_set_from_several_places_at_once_are_set(empty: Settings) -> None:
    """PostgreSQL refuses a concurrent ALTER ROLE with an internal error: two pods of one rollout must not."""
    await migrate(empty)
    for seconds in range(7, 17):
        changed = empty.model_copy(update={"statement_timeout": float(seconds)})
        await asyncio.gather(*(migrate(changed) for _ in range(6)))
        async with session(changed) as opened:
            assert await opened.fetchval("SHOW statement_timeout") == f"{seconds}s"


async def test_who_comes_second_waits_for_a_long_migration_to_end(
    empty: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deadline on table locks is not one on the other instance's work."""
    monkeypatch.setattr(migrations, "_LOCK_TIMEOUT", "50ms")
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    async with session(empty) as first, first.transaction():
        await first.execute(f"SELECT pg_advisory_xact_lock({migrations._LOCK})")
        second = asyncio.create_task(migrate(empty))
        await until(lambda: first.fetchval(waiting))
        await first.execute("SELECT pg_sleep(0.3)")  # the first one's work, six times the deadline
        assert not second.done()
    assert await second == "migrated"


async def test_a_migration_waits_for_a_table_no_longer_than_its_deadline(
    empty: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await migrate(empty)
    before = await schema_of(empty)
    monkeypatch.setattr(migrations, "_LOCK_TIMEOUT", "50ms")
    address = DatabaseAddress.of(empty)
    async with session(empty) as holder, holder.transaction():
        await holder.execute("LOCK TABLE goods IN ACCESS SHARE MODE")
        async with asyncio.timeout(5):
            with pytest.raises(asyncpg.LockNotAvailableError):
                await run_alembic(address, "base", down=True)
    assert await schema_of(empty) == before
    async with session(empty) as opened:
        assert await opened.fetch("SELECT version_num FROM alembic_version") == [(head(),)]


async def test_a_head_that_this_release_does_not_know_is_left_alone(empty: Settings) -> None:
    await migrate(empty)
    async with session(empty) as opened:
        await opened.execute("UPDATE alembic_version SET version_num = '9999'")
        before = (await schema_of(empty), await opened.fetch(_ROLE_SETTINGS))
        slower = empty.model_copy(update={"statement_timeout": 99.0})
        assert await migrate(slower) == "newer"
        assert (await schema_of(empty), await opened.fetch(_ROLE_SETTINGS)) == before
        assert await opened.fetchval("SELECT version_num FROM alembic_version") == "9999"


async def test_the_service_is_ready_on_a_newer_schema_and_not_on_an_older_one(empty: Settings) -> None:
    await migrate(empty)
    app = create_app(empty)
    async with serving(app) as url, httpx2.AsyncClient(base_url=url) as client, session(empty) as opened:
        assert (await client.get("/readyz")).status_code == 200
        await opened.execute("UPDATE alembic_version SET version_num = '9999'")
        assert (await client.get("/readyz")).status_code == 200
        await opened.execute("UPDATE alembic_version SET version_num = '0000'")
        answer = await client.get("/readyz")
        assert answer.status_code == 503
        assert answer.json()["type"] == "/problems/not-ready"
        await opened.execute("DELETE FROM alembic_version")
        assert (await client.get("/readyz")).status_code == 503


async def test_the_service_goes_on_when_tables_are_made_anew_under_it(empty: Settings) -> None:
    """Statements that were prepared on the old tables are prepared again."""
    await migrate(empty)
    app = create_app(empty)
    async with serving(app) as url, httpx2.AsyncClient(base_url=url) as client:
        body = {"sku": "A", "name": "a", "price": 1, "stock": 2}
        for _ in range(2):
            assert (await client.post("/goods", json=body)).status_code == 201
            assert (await client.get("/goods/1")).json()["stock"] == 2
            assert len((await client.get("/goods")).json()["items"]) == 1
            assert (await client.patch("/goods/1", json={"stock": 3})).json()["version"] == 2
            await run_alembic(DatabaseAddress.of(empty), "base", down=True)
            await migrate(empty)


def test_head_is_what_alembic_says_and_the_revisions_are_one_line() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent / "migrations"))
    scripts = ScriptDirectory.from_config(config)
    assert scripts.get_heads() == [head()]
    assert [script.revision for script in scripts.walk_revisions()][::-1] == known_revisions()


@pytest.mark.filterwarnings("ignore:Did not recognize type 'xid8'")
async def test_alembic_finds_no_difference_between_models_and_migrations(settings: Settings) -> None:
    def differences(connection: Any) -> Any:
        options = {"compare_type": True, "compare_server_default": True}
        return compare_metadata(MigrationContext.configure(connection, opts=options), metadata)

    async with engine_of(settings) as engine, engine.connect() as opened:
        assert await opened.run_sync(differences) == []


async def test_models_create_what_migrations_create_to_the_last_check_and_collation(
    empty: Settings, settings: Settings
) -> None:
    async with engine_of(empty) as engine, engine.begin() as opened:
        await opened.run_sync(metadata.create_all)
    modelled = await schema_of(empty)
    migrated = await schema_of(settings)
    # Functions and triggers exist in the migrations only.
    assert [
        line for line in migrated if not line.startswith(("function", "trigger")) and "pg_stat_statements" not in line
    ] == modelled


async def test_the_roles_deadlines_are_stored_and_in_force_in_a_new_session(empty: Settings) -> None:
    chosen = empty.model_copy(update={"statement_timeout": 4.5, "lock_timeout": 1.25})
    await migrate(chosen)
    wanted = {
        "statement_timeout": "4500ms",
        "lock_timeout": "1250ms",
        "idle_in_transaction_session_timeout": "9s",
    }
    async with session(chosen) as opened:
        (stored,) = await opened.fetchrow(_ROLE_SETTINGS)
        assert {entry.partition("=")[0] for entry in stored} == set(wanted)
        shown = {name: await opened.fetchval(f"SHOW {name}") for name in wanted}
    assert shown == wanted


async def test_deadlines_that_were_configured_anew_are_stored_without_a_migration(empty: Settings) -> None:
    await migrate(empty)
    changed = empty.model_copy(update={"lock_timeout": 0.75})
    assert await migrate(changed) == "up to date"
    async with session(changed) as opened:
        assert await opened.fetchval("SHOW lock_timeout") == "750ms"
