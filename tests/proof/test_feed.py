"""Who follows the feed meets every change once and in order: by pages, by streams that break, and after a restore."""

import asyncio
import json
import random
import subprocess
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import asyncpg
import httpx2
import pytest

from app.application import create_app
from app.config.conf import Settings
from app.database.db import DatabaseAddress
from app.database.embedded import EmbeddedPostgres
from app.database.embedded.programs import find_programs
from app.database.migrate import migrate
from app.goods.services.stock_statements import MOVE
from tests.api.support import create
from tests.conftest import settings_for
from tests.proof.conftest import Report
from tests.proof.replay import replayed
from tests.serving import serving

pytestmark = pytest.mark.proof

_CHANGES, _WRITERS, _SLOW = 20_000, 16, 4
_GOODS = 40
_HELD = 60  # changes of others that a slow transaction waits for before it ends
_SSE = {"Accept": "text/event-stream"}


@dataclass
class Writing:
    """What all writers know of each other."""

    client: httpx2.AsyncClient
    settings: Settings
    goods: list[int]
    made: Counter[str] = field(default_factory=Counter)
    moved: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def changes(self) -> int:
        return self.made.total()

    async def count(self, kind: str, changes: int = 1) -> None:
        self.made[kind] += changes
        async with self.moved:
            self.moved.notify_all()

    async def write(self, chance: random.Random) -> None:
        while self.changes < _CHANGES:
            kind = chance.choices(("stock", "patch", "basket", "create", "delete"), (10, 4, 2, 2, 1))[0]
            await getattr(self, f"_{kind}")(chance)

    async def _stock(self, chance: random.Random) -> None:
        move = {"delta": chance.randint(1, 5), "reason": "receipt"}
        answer = await self.client.post(f"/goods/{chance.choice(self.goods)}/stock", json=move)
        if answer.status_code == 201:
            await self.count("stock")

    async def _patch(self, chance: random.Random) -> None:
        name = f"lantern {chance.random()}"
        answer = await self.client.patch(f"/goods/{chance.choice(self.goods)}", json={"name": name})
        if answer.status_code == 200:
            await self.count("patch")

    async def _basket(self, chance: random.Random) -> None:
        lines = [{"goods_id": goods_id, "delta": 1} for goods_id in chance.sample(self.goods, 3)]
        answer = await self.client.post("/stock", json={"lines": lines, "reason": "receipt"})
        if answer.status_code == 201:
            await self.count("basket", 3)

    async def _create(self, chance: random.Random) -> None:
        good = await create(self.client, stock=chance.randint(0, 9))
        self.goods.append(good["id"])
        await self.count("create")

    async def _delete(self, chance: random.Random) -> None:
        if len(self.goods) > _GOODS:
            answer = await self.client.delete(f"/goods/{self.goods.pop(chance.randrange(len(self.goods)))}")
            assert answer.status_code == 204
            await self.count("delete")

    async def write_slowly(self, good: dict[str, Any]) -> None:
        """Change a good in a transaction that stays open while others write, again and again."""
        connection: Any = await asyncpg.connect(**DatabaseAddress.of(self.settings).connect_arguments())
        try:
            await connection.execute("SET idle_in_transaction_session_timeout = 0")
            while self.changes < _CHANGES:
                async with connection.transaction():
                    values = (good["id"], None, None, "slow", "slow", 1, "receipt", "")
                    [row] = await connection.fetch(MOVE.plain, *values)
                    assert row["verdict"] == "moved"
                    until = min(self.changes + _HELD, _CHANGES)
                    async with self.moved:
                        await self.moved.wait_for(lambda until=until: self.changes >= until)  # type: ignore[misc]
                await self.count("slow")
        finally:
            await connection.close()


async def by_pages(client: httpx2.AsyncClient, done: asyncio.Event, cursor: str = "0") -> list[dict[str, Any]]:
    """Everything from a cursor on, page by page, until all is done and read."""
    entries: list[dict[str, Any]] = []
    while True:
        last = done.is_set()
        page = (await client.get("/changes", params={"after": cursor, "limit": 100})).json()
        entries += page["items"]
        cursor = page["next"]
        if last and not page["more"]:
            return entries


async def _lines(answer: httpx2.Response) -> AsyncIterator[str]:
    async for line in answer.aiter_lines():
        yield line


async def by_streams(
    client: httpx2.AsyncClient, chance: random.Random, last: "asyncio.Future[int]"
) -> tuple[list[dict[str, Any]], int]:
    """Everything, by streams that are broken off again and again; and how many those were."""
    entries: list[dict[str, Any]] = []
    connections = 0
    while not (last.done() and len(entries) >= last.result()):
        connections += 1
        seen = str(entries[-1]["position"]) if entries else "0"
        enough = len(entries) + chance.randint(1, 600)
        async with client.stream("GET", "/changes", headers={**_SSE, "Last-Event-ID": seen}) as answer:
            assert answer.status_code == 200
            async with aclosing(_lines(answer)) as lines:  # type: ignore[type-var]
                async for line in lines:
                    if line.startswith("data: "):
                        entries.append(json.loads(line[6:]))
                    if len(entries) >= enough or (last.done() and len(entries) >= last.result()):
                        break
    return entries, connections


async def all_goods(connection: Any) -> list[dict[str, Any]]:
    """The table of goods, as the API writes goods, by id."""
    rows = await connection.fetch(
        """SELECT id, sku, name, description, category, price::text, stock, version,
        to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS created_at,
        to_char(updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS updated_at FROM goods ORDER BY id"""
    )
    return [dict(row) for row in rows]


async def test_followers_meet_every_change_once_and_in_order(
    client: httpx2.AsyncClient, settings: Settings, connection: Any, report: Report, tmp_path: Path
) -> None:
    goods = [(await create(client, stock=3))["id"] for _ in range(_GOODS)]
    slow = [await create(client) for _ in range(_SLOW)]
    writing = Writing(client, settings, goods)
    done, last = asyncio.Event(), asyncio.get_running_loop().create_future()
    started = perf_counter()
    followers = asyncio.gather(by_pages(client, done), by_streams(client, random.Random(1), last))
    await asyncio.gather(
        *(writing.write(random.Random(seed)) for seed in range(_WRITERS - _SLOW)),
        *(writing.write_slowly(good) for good in slow),
    )
    seconds = perf_counter() - started
    total = writing.changes + _GOODS + _SLOW
    done.set()
    last.set_result(total)
    paged, (streamed, connections) = await followers
    assert await connection.fetchval("SELECT count(*) FROM changes") == total
    assert [entry["position"] for entry in paged] == list(range(1, total + 1))
    assert streamed == paged
    assert replayed(paged) == await all_goods(connection)
    late = await connection.fetchval(
        "SELECT count(*) FROM (SELECT seq < max(seq) OVER (ORDER BY position) AS late FROM changes) c WHERE late"
    )
    assert late > 0, "the proof needs changes that were written earlier and committed later"
    restored, added = await _restored(client, settings, tmp_path, paged)
    report.write(
        "The feed misses nothing",
        f"{_WRITERS} writers make {_CHANGES:,} changes, {_SLOW} of them in transactions that stay open while others"
        " write. One follower reads pages, one takes streams that it breaks off again and again. Each met every change"
        " once, positions without a gap, versions of each good in order, and replaying them gives the table of goods."
        " Then the database is dumped, with changes that have no position yet, and restored into a new cluster: a"
        " follower goes on there from a cursor that it had.",
        ("what", "how many"),
        [
            *((f"changes by {kind}", count) for kind, count in sorted(writing.made.items())),
            ("changes that were committed after later ones", late),
            ("changes met by pages, and by streams", f"{len(paged)}, {len(streamed)}"),
            ("streams", connections),
            ("changes read after the restore from the cursor in the middle", restored),
            ("changes made after the restore, and met", added),
            ("seconds of writing", f"{seconds:.1f}"),
        ],
    )


async def _restored(
    client: httpx2.AsyncClient, settings: Settings, folder: Path, entries: list[dict[str, Any]]
) -> tuple[int, int]:
    """Dump, restore elsewhere, and follow there from the middle on; how many changes that were, and new ones."""
    unnumbered = await asyncpg.connect(**DatabaseAddress.of(settings).connect_arguments())
    transaction = unnumbered.transaction()
    await transaction.start()
    # Nobody numbers while this is held, so the dump has changes without a position.
    await unnumbered.execute("SELECT pg_advisory_xact_lock(7164212804591183201)")
    for _ in range(5):
        await create(client)
    dump = folder / "goods.sql"
    address = DatabaseAddress.of(settings)
    await asyncio.to_thread(_run, "pg_dump", address, "--no-owner", "--file", dump)
    await transaction.rollback()
    await unnumbered.close()
    cluster = EmbeddedPostgres(folder / "other", announce=lambda _: None)
    elsewhere = settings_for(await asyncio.to_thread(cluster.start))
    try:
        await asyncio.to_thread(_run, "psql", DatabaseAddress.of(elsewhere), "-q", "-v", "ON_ERROR_STOP=1", "-f", dump)
        await migrate(elsewhere)
        async with (
            serving(create_app(elsewhere)) as url,
            httpx2.AsyncClient(base_url=url, timeout=30, verify=False) as other,
        ):
            for _ in range(7):
                await create(other)
            done = asyncio.Event()
            done.set()
            middle = len(entries) // 2
            found = await by_pages(other, done, str(middle))
    finally:
        await asyncio.to_thread(cluster.discard)
    assert found[: len(entries) - middle] == entries[middle:]
    assert [entry["position"] for entry in found] == list(range(middle + 1, len(entries) + 12 + 1))
    replayed([*entries[:middle], *found])
    return len(entries) - middle + 5, 7


def _run(program: str, address: DatabaseAddress, *arguments: str | Path) -> None:
    folder = find_programs(None).folder
    where = ("-h", address.host, "-p", str(address.port), "-U", address.user, "-d", address.database)
    subprocess.run([folder / program, *where, *arguments], check=True, capture_output=True)
