"""A database that can be stopped and frozen, and what is expected of the service meanwhile."""

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import asyncpg
import httpx2

from app.application import create_app
from app.config.conf import Settings
from app.database.db import DatabaseAddress, Pool
from app.database.embedded import EmbeddedPostgres
from app.database.migrate import migrate
from tests.conftest import Service, settings_for, until
from tests.serving import serving

PROMISED = 2.0  # seconds until a request is answered without a database
GOOD = {"name": "a", "price": "1.00", "stock": 1}
# method, path, body
NEED_DATABASE: list[tuple[str, str, Any]] = [
    ("GET", "/goods/1", None),
    ("GET", "/goods/by-sku/A", None),
    ("GET", "/goods", None),
    ("GET", "/goods?count=exact&sort=-price", None),
    ("GET", "/categories", None),
    ("GET", "/goods/export", None),
    ("GET", "/goods/1/stock/movements", None),
    ("POST", "/goods", GOOD),
    ("PUT", "/goods/1", GOOD),
    ("PATCH", "/goods/1", {"stock": 2}),
    ("DELETE", "/goods/1", None),
    ("POST", "/goods/1/stock", {"delta": 1, "reason": "receipt"}),
    ("POST", "/stock", {"lines": [{"goods_id": 1, "delta": 1}], "reason": "receipt"}),
]
# method, path, body, status
NEED_NONE: list[tuple[str, str, Any, int]] = [
    ("GET", "/livez", None, 200),
    ("GET", "/metrics", None, 200),
    ("GET", "/nothing", None, 404),
    ("GET", "/goods/0", None, 404),
    ("PUT", "/goods", GOOD, 405),
    ("GET", "/goods/abc", None, 422),
    ("GET", "/goods?limit=0", None, 422),
    ("POST", "/goods", {}, 422),
    ("POST", "/goods/0/stock", {"delta": 1, "reason": "receipt"}, 404),
]


class Database:
    """A server of this module's own, to be stopped and frozen."""

    def __init__(self, home: Path) -> None:
        self._server = EmbeddedPostgres(home, announce=lambda _: None)
        self.address = self._server.start()
        self._frozen: list[int] = []

    def settings(self, **changes: Any) -> Settings:
        defaults = {"CONNECT_TIMEOUT": 0.5, "STATEMENT_TIMEOUT": 3, "LOCK_TIMEOUT": 1.5, "DB_POOL_SIZE": 4}
        return settings_for(self.address, **{**defaults, **changes})

    @classmethod
    @asynccontextmanager
    async def running(cls, home: Path) -> AsyncIterator["Database"]:
        """A migrated one, for as long as the block runs."""
        made = await asyncio.to_thread(cls, home)
        try:
            await migrate(made.settings())
            yield made
        finally:
            await asyncio.to_thread(made.discard)

    async def start(self) -> None:
        await asyncio.to_thread(self._server.start)

    async def stop(self) -> None:
        await asyncio.to_thread(self._server.stop)

    def discard(self) -> None:
        self.thaw()
        self._server.discard()

    @asynccontextmanager
    async def session(self, **changes: Any) -> AsyncIterator[Any]:
        """A connection of the test's own."""
        opened = await asyncpg.connect(**DatabaseAddress.of(self.settings(**changes)).connect_arguments())
        await opened.execute("SET statement_timeout = 0; SET lock_timeout = 0")
        try:
            yield opened
        finally:
            await opened.close()

    async def kill_and_start(self) -> None:
        """It ends without a chance to write anything, as in a power cut, and is started again."""
        async with self.session() as opened:
            postmaster = await _postmaster(opened)
        os.kill(postmaster, signal.SIGKILL)
        await self.stop()
        await self.start()

    async def freeze(self) -> None:
        """Nothing of the server runs any more, yet its sockets are open: a machine that hangs."""
        async with self.session() as opened:
            postmaster = await _postmaster(opened)
            pids = [row[0] for row in await opened.fetch("SELECT pid FROM pg_stat_activity")]
        self._frozen = [postmaster, *pids]
        for pid in self._frozen:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        for pid in self._frozen:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        self._frozen = []


async def _postmaster(session: Any) -> int:
    folder = await session.fetchval("SHOW data_directory")
    return int((Path(folder) / "postmaster.pid").read_text().split()[0])


@asynccontextmanager
async def served(settings: Settings) -> AsyncIterator[tuple[Service, httpx2.AsyncClient]]:
    app = create_app(settings)
    async with serving(app) as url, httpx2.AsyncClient(base_url=url, timeout=30) as client:
        yield Service(app, url), client


async def timed(answering: Awaitable[httpx2.Response]) -> tuple[httpx2.Response, float]:
    loop = asyncio.get_running_loop()
    started = loop.time()
    return await answering, loop.time() - started


async def assert_unavailable(
    client: httpx2.AsyncClient, *, within: float, problem: str = "database-unavailable", rounds: int = 2
) -> None:
    """Everything that needs the database says so in time, several at once."""
    asked = [client.request(method, path, json=body) for method, path, body in NEED_DATABASE * rounds]
    for answer, seconds in await asyncio.gather(*map(timed, asked)):
        assert answer.status_code == 503, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["type"] == f"/problems/{problem}"
        assert int(answer.headers["retry-after"]) > 0
        assert seconds < within, f"{answer.request.method} {answer.request.url}: {seconds:.2f} s"


async def assert_the_rest_works(client: httpx2.AsyncClient) -> None:
    for method, path, body, status in NEED_NONE:
        answer, seconds = await timed(client.request(method, path, json=body))
        assert answer.status_code == status
        assert seconds < PROMISED


async def assert_serves(client: httpx2.AsyncClient, requests: int, *, clients: int = 20) -> None:
    """A mix of requests, so many at a time, without a single error."""
    created = await client.post("/goods", json=GOOD)
    assert created.status_code == 201
    path = created.headers["location"]

    async def one_client() -> None:
        for n in range(requests // clients):
            answer = await [
                lambda: client.get(path),
                lambda: client.get("/goods?limit=5"),
                lambda: client.post("/goods", json=GOOD),
                lambda: client.patch(path, json={"stock": random.randrange(9)}),
            ][n % 4]()
            assert answer.is_success, answer.text

    await asyncio.gather(*(one_client() for _ in range(clients)))


async def assert_whole(pool: Pool) -> None:
    """Every place in the pool can be used, and no connection is taken."""
    inner: Any = pool._pool
    await until(lambda: inner._queue.qsize() == pool.size)
    assert pool.idle_connections == pool.open_connections <= pool.size


async def is_ready(client: httpx2.AsyncClient) -> bool:
    return (await client.get("/readyz")).status_code == 200
