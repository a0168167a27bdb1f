"""The PostgreSQL that everything is measured on: one server, fsync on, with a database for each need."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from app.config.conf import Settings, load_settings
from app.database.db import DatabaseAddress
from app.database.embedded import EmbeddedAddress, EmbeddedPostgres
from app.database.migrate import migrate
from app.goods.services.loading import load
from data.sample import generate

_STOCK = 100_000  # of each good, so that no sale is refused
_AT_A_TIME = 10_000
_SCHEMA = Path(__file__).parent / "peers" / "schema.sql"


@dataclass(frozen=True)
class Databases:
    """Makes databases on the benchmark's server, and says how to reach them."""

    address: EmbeddedAddress

    def environ(self, name: str) -> dict[str, str]:
        """What a server has to be told to use the database."""
        return {
            "DB_HOST": self.address.socket_folder,
            "DB_PORT": str(self.address.port),
            "DB_USER": self.address.user,
            "DB_NAME": name,
        }

    def settings(self, name: str) -> Settings:
        return load_settings(self.environ(name))

    async def connect(self, name: str) -> Any:
        connection = await asyncpg.connect(**DatabaseAddress.of(self.settings(name)).connect_arguments())
        await connection.execute("SET statement_timeout = 0")
        return connection

    async def make(self, name: str, goods: int) -> None:
        """A migrated database with so many goods of the sample's vocabulary."""
        await self._create(name)
        await migrate(load_settings(self.environ(name)))
        if goods:
            stocked = (good._replace(stock=_STOCK) for good in generate(goods))
            await load(self.settings(name), stocked, actor="benchmark")
        await self._settle(name)

    async def make_peers(self, name: str, source: str) -> None:
        """A database with the peers' table, and in it the goods of another one."""
        await self._create(name)
        connection, read = await self.connect(name), await self.connect(source)
        await connection.execute(_SCHEMA.read_text())
        columns = ("sku", "name", "description", "category", "price", "stock")
        rows = await read.fetch(f"SELECT {', '.join(columns)} FROM goods ORDER BY id")
        await connection.copy_records_to_table("goods", records=rows, columns=columns)
        await connection.close()
        await read.close()
        await self._settle(name)

    async def version(self) -> str:
        """PostgreSQL's."""
        found: str = await self._ask("SHOW server_version")
        return found.partition(" ")[0]

    async def data_folder(self) -> str:
        """Where its data is."""
        found: str = await self._ask("SHOW data_directory")
        return found

    async def _ask(self, sql: str) -> Any:
        connection = await self.connect("postgres")
        found = await connection.fetchval(sql)
        await connection.close()
        return found

    async def drop(self, name: str) -> None:
        connection = await self.connect("postgres")
        await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await connection.close()

    async def _create(self, name: str) -> None:
        connection = await self.connect("postgres")
        await connection.execute(f"CREATE DATABASE {name}")
        await connection.close()

    async def _settle(self, name: str) -> None:
        """Do now what would otherwise be done in the background, in the middle of somebody's round."""
        connection = await self.connect(name)
        if await connection.fetchval("SELECT to_regclass('changes') IS NOT NULL"):
            while await connection.fetchval("SELECT numbered FROM number_changes($1)", _AT_A_TIME):
                pass
        await connection.execute("VACUUM ANALYZE")
        await connection.execute("CHECKPOINT")
        await connection.close()


@contextmanager
def databases(folder: Path) -> Iterator[Databases]:
    """The server, as `goods serve` would start it, gone with its data at the end."""
    server = EmbeddedPostgres(folder)
    try:
        yield Databases(server.start())
    finally:
        server.discard()


def run(work: Any) -> Any:
    return asyncio.run(work)
