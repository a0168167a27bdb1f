"""One real PostgreSQL for the run, one migrated database, and the service behind a real socket."""

import asyncio
import gc
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx2
import pytest
import uvloop
from fastapi import FastAPI

from app.application import Parts, create_app
from app.config.conf import Settings, load_settings
from app.database.db import DatabaseAddress
from app.database.embedded import EmbeddedAddress, EmbeddedPostgres
from app.database.migrate import migrate
from tests.faults.pgbouncer import bouncing
from tests.serving import serving

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell that starts the tests in the background ignores Ctrl-C for them, and so for every program they start.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop that the service has at work, which is quicker than Python's own.

    Tests with asynchronous fixtures are asynchronous themselves: for others the loop would be made anew, and all on it.
    """
    return {"uvloop": uvloop.new_event_loop}


def pytest_collection_finish() -> None:
    """A tenth of the time went into looking for garbage, mostly among what has been loaded, which stays to the end."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


# Deleting the few rows of a test takes a quarter of the time that new files for three tables and all their indexes
# take; the lock waits for what the test before has left under way, as TRUNCATE does. The space of deleted rows stays,
# so beyond some pages there are new files after all.
_EMPTY = """
DO $$ BEGIN
  LOCK TABLE goods, stock_movements, changes IN ACCESS EXCLUSIVE MODE;
  IF pg_relation_size('goods') + pg_relation_size('stock_movements') + pg_relation_size('changes') > 400000 THEN
    TRUNCATE goods, stock_movements, changes RESTART IDENTITY;
  ELSE
    DELETE FROM goods;
    DELETE FROM stock_movements;
    DELETE FROM changes;
    DELETE FROM search_dictionary;
    PERFORM setval('goods_id_seq', 1, false), setval('stock_movements_id_seq', 1, false),
      setval('changes_seq_seq', 1, false);
  END IF;
END $$
"""


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAddress]:
    """A PostgreSQL of this run's own."""
    server = EmbeddedPostgres(tmp_path_factory.mktemp("goods"), announce=lambda _: None)
    yield server.start()
    server.discard()


def settings_for(address: EmbeddedAddress, **changes: Any) -> Settings:
    """Settings that name the run's database; tasks that only look stay out of the way."""
    environ = {
        "DB_HOST": address.socket_folder,
        "DB_PORT": str(address.port),
        "DB_USER": address.user,
        "DB_NAME": address.database,
        "METRICS_REFRESH": "3600",
        "LEDGER_CHECK": "3600",
        "LOG_FORMAT": "json",
    }
    return load_settings({**environ, **{name: str(value) for name, value in changes.items()}})


@pytest.fixture(scope="session")
async def direct(postgres: EmbeddedAddress) -> Settings:
    """Settings of a migrated database, without anything between."""
    configured = settings_for(postgres)
    await migrate(configured)
    return configured


@pytest.fixture(scope="session")
def settings(
    direct: Settings, postgres: EmbeddedAddress, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """Settings of a migrated database; through a PgBouncer when THROUGH_PGBOUNCER is set."""
    if "THROUGH_PGBOUNCER" not in os.environ:
        yield direct
        return
    with bouncing(postgres, tmp_path_factory.mktemp("pgbouncer")) as changes:
        yield settings_for(postgres, **changes)


@pytest.fixture(scope="session")
async def connection(direct: Settings) -> AsyncIterator[Any]:
    """A connection of the test's own, to look behind the service."""
    opened = await asyncpg.connect(**DatabaseAddress.of(direct).connect_arguments())
    # The run's own server keeps nothing that must survive a power cut; emptying tables is ten times faster so.
    for name in ("fsync", "synchronous_commit", "full_page_writes"):
        await opened.execute(f"ALTER SYSTEM SET {name} = off")
    await opened.execute("SELECT pg_reload_conf()")
    await opened.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
    # The deadlines are the service's: databases are made and dropped here, which takes its time on a busy disk.
    await opened.execute("SET statement_timeout = 0")
    yield opened
    await opened.close()


@dataclass
class Service:
    """The service under test."""

    app: FastAPI
    url: str

    @property
    def parts(self) -> Parts:
        parts: Parts = self.app.state.parts
        return parts

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])


@pytest.fixture(scope="session")
async def running_service(settings: Settings) -> AsyncIterator[Service]:
    app = create_app(settings)
    async with serving(app) as url:
        yield Service(app, url)


@pytest.fixture
async def service(running_service: Service, connection: Any) -> Service:
    """The running service on empty tables."""
    for _ in range(3):
        # What the service does in the background may lock the tables in another order: who loses tries again.
        with suppress(asyncpg.DeadlockDetectedError):
            await connection.execute(_EMPTY)
            return running_service
    await connection.execute(_EMPTY)
    return running_service


@pytest.fixture
async def new_tables(connection: Any) -> None:
    """For what looks at the pages of tables: nothing of other tests is in them, not even the space of their rows."""
    await connection.execute("TRUNCATE goods, stock_movements, changes RESTART IDENTITY")


@pytest.fixture
async def client(service: Service) -> AsyncIterator[httpx2.AsyncClient]:
    """An HTTP client of the service on empty tables."""
    # Nothing here is TLS, and loading certificates for each client takes longer than most tests.
    async with httpx2.AsyncClient(base_url=service.url, timeout=30, verify=False) as opened:
        yield opened


async def until(condition: Any, *, seconds: float = 20.0) -> Any:
    """Wait for `condition` (a function, awaited when it must be) to give something true."""
    async with asyncio.timeout(seconds):
        while True:
            found = condition()
            found = await found if asyncio.iscoroutine(found) else found
            if found:
                return found
            await asyncio.sleep(0.01)
