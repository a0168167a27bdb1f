"""How changes get their places in the feed, whatever the order in which transactions begin, write and end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx2
import pytest

from app.config.conf import Settings
from app.database.db import DatabaseAddress
from app.goods.services.feed import NUMBER
from tests.api.support import assert_problem, create
from tests.api.test_changes import everything, feed
from tests.conftest import Service, until

_RENAME = """
WITH old AS (SELECT * FROM goods WHERE id = $1 FOR UPDATE), new AS (
  UPDATE goods g SET name = $2, version = g.version + 1 FROM old WHERE g.id = old.id RETURNING g.*
)
INSERT INTO changes (goods_id, sku, operation, version, before, after, actor, request_id, at)
SELECT id, sku, 'update', version, '{}', '{}', 'test', $2, clock_timestamp() FROM new
"""
_PLACED = "SELECT position, version, request_id FROM changes WHERE operation = 'update' ORDER BY position"


@asynccontextmanager
async def sessions(settings: Settings, count: int) -> AsyncIterator[list[Any]]:
    """Connections of the test's own."""
    async with AsyncExitStack() as stack:
        opened = []
        for _ in range(count):
            connection = await asyncpg.connect(**DatabaseAddress.of(settings).connect_arguments())
            stack.push_async_callback(connection.close)
            opened.append(connection)
        yield opened


async def xid(session: Any) -> int:
    """Have a transaction id given to the session's transaction."""
    number: int = await session.fetchval("SELECT pg_current_xact_id()::text::bigint")
    return number


async def test_versions_ascend_where_the_transaction_ids_descend(
    client: httpx2.AsyncClient, settings: Settings, connection: Any
) -> None:
    """The later version has the lower id, and an id between them is still under way: nothing waits for it."""
    good = await create(client)
    async with sessions(settings, 3) as (early, between, late):
        transactions = [session.transaction() for session in (early, between, late)]
        ids = []
        for session, transaction in zip((early, between, late), transactions, strict=True):
            await transaction.start()
            ids.append(await xid(session))
        assert ids == sorted(ids)
        await late.execute(_RENAME, good["id"], "second version")
        waiting = asyncio.create_task(early.execute(_RENAME, good["id"], "third version"))
        await until(lambda: _waits_for_a_lock(connection))
        await transactions[2].commit()
        await waiting
        await connection.fetch(NUMBER, 100)
        await transactions[0].commit()
        await connection.fetch(NUMBER, 100)
        assert [(row[1], row[2]) for row in await connection.fetch(_PLACED)] == [
            (2, "second version"), (3, "third version"),
        ]  # fmt: skip
        await transactions[1].rollback()


async def _waits_for_a_lock(connection: Any) -> bool:
    found: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database())"
    )
    return found


async def test_a_long_transaction_holds_nobody_back_and_comes_when_it_ends(
    client: httpx2.AsyncClient, settings: Settings
) -> None:
    slow, quick = await create(client), await create(client)
    async with sessions(settings, 1) as [session]:
        async with session.transaction():
            await session.execute(_RENAME, slow["id"], "slow")
            for number in range(3):
                await client.patch(f"/goods/{quick['id']}", json={"name": f"quick {number}"})
            before = await feed(client)
            assert [entry["goods_id"] for entry in before] == [slow["id"], *[quick["id"]] * 4]
        after = await feed(client, str(before[-1]["position"]))
    # Its entry was written before the others, and comes after them: no cursor has passed it by.
    assert [(entry["goods_id"], entry["request_id"]) for entry in after] == [(slow["id"], "slow")]


async def test_what_is_rolled_back_leaves_no_gap(client: httpx2.AsyncClient, settings: Settings) -> None:
    good = await create(client)
    async with sessions(settings, 1) as [session]:
        transaction = session.transaction()
        await transaction.start()
        await session.execute(_RENAME, good["id"], "never")
        await transaction.rollback()
    await client.patch(f"/goods/{good['id']}", json={"name": "n"})
    assert [(entry["position"], entry["version"]) for entry in await feed(client)] == [(1, 1), (2, 2)]


async def test_several_that_number_at_once_give_each_change_one_place(
    client: httpx2.AsyncClient, settings: Settings, connection: Any
) -> None:
    goods = [await create(client) for _ in range(4)]

    async def number(session: Any) -> None:
        for _ in range(40):
            await session.fetch(NUMBER, 3)

    async def write(session: Any, good: dict[str, Any]) -> None:
        for count in range(30):
            await session.execute(_RENAME, good["id"], f"{count}")

    async with sessions(settings, 8) as opened:
        await asyncio.gather(
            *(number(session) for session in opened[:4]),
            *(write(session, good) for session, good in zip(opened[4:], goods, strict=True)),
        )
    while (await connection.fetchrow(NUMBER, 1000))["numbered"]:
        pass
    rows = await connection.fetch("SELECT position, goods_id, version FROM changes ORDER BY position")
    assert [row["position"] for row in rows] == list(range(1, 4 + 120 + 1))
    for good in goods:
        assert [row["version"] for row in rows if row["goods_id"] == good["id"]] == list(range(1, 32))


async def test_numbering_is_bounded_and_says_whether_there_is_more(client: httpx2.AsyncClient, connection: Any) -> None:
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(7164212804591183201)")  # nobody else numbers meanwhile
        for _ in range(5):
            await create(client)
        assert [tuple(await connection.fetchrow(NUMBER, 2)) for _ in range(4)] == [(2, 2), (2, 4), (1, 5), (0, 5)]


async def test_readers_that_come_together_are_served_by_few_rounds(
    service: Service, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    primary, rounds = service.parts.database.primary, 0
    fetch = primary.fetch

    async def counted(sql: str, *arguments: Any) -> Any:
        nonlocal rounds
        rounds += sql == NUMBER
        return await fetch(sql, *arguments)

    monkeypatch.setattr(primary, "fetch", counted)
    answers = await asyncio.gather(*(service.parts.feed.number() for _ in range(50)))
    assert (len(answers), rounds) == (50, 1)
    assert (await client.get("/changes")).status_code == 200
    assert rounds == 2


async def aged(connection: Any, days_of_positions: dict[int, float]) -> None:
    for position, days in days_of_positions.items():
        at = datetime.now(UTC) - timedelta(days=days)
        await connection.execute("UPDATE changes SET at = $2 WHERE position = $1", position, at)


async def test_old_changes_are_trimmed_and_their_cursors_are_gone(
    service: Service, client: httpx2.AsyncClient, connection: Any
) -> None:
    await everything(client)
    whole = await feed(client)
    await aged(connection, {1: 9, 2: 9, 3: 8, 4: 1, 5: 9})
    await service.parts.feed.trim(5)
    for query in ("", "?after=0", "?after=2"):
        assert_problem(await client.get(f"/changes{query}"), 410, "cursor-gone")
    # The fifth is old as well, but the feed loses its beginning only: it never has a gap.
    assert [entry["position"] for entry in await feed(client, "3")] == [entry["position"] for entry in whole[3:]]
    assert (await client.get("/changes?after=latest")).json()["next"] == str(len(whole))


async def test_a_trimmed_feed_goes_on_counting(service: Service, client: httpx2.AsyncClient, connection: Any) -> None:
    await everything(client)
    whole = await feed(client)
    await aged(connection, {entry["position"]: 30 for entry in whole})
    await service.parts.feed.trim(5)
    assert await connection.fetchval("SELECT count(*) FROM changes") == 1
    good = await create(client)
    [entry] = await feed(client, whole[-1]["position"])
    assert (entry["position"], entry["goods_id"]) == (len(whole) + 1, good["id"])


async def test_the_past_is_told_as_far_back_as_it_is_known(
    service: Service, client: httpx2.AsyncClient, connection: Any
) -> None:
    first = await create(client, sku="A", name="first")
    await client.patch(f"/goods/{first['id']}", json={"name": "second"})
    await client.patch(f"/goods/{first['id']}", json={"name": "third"})
    await feed(client)
    await aged(connection, {1: 9, 2: 8, 3: 1})
    await service.parts.feed.trim(5)
    now = datetime.now(UTC)
    for path in (f"/goods/{first['id']}", "/goods/by-sku/A"):
        known = await client.get(path, params={"as_of": (now - timedelta(hours=20)).isoformat()})
        assert known.json()["name"] == "third"
        unknown = await client.get(path, params={"as_of": (now - timedelta(days=4)).isoformat()})
        assert_problem(unknown, 410, "history-trimmed")
    history = (await client.get(f"/goods/{first['id']}/history")).json()["items"]
    assert [entry["after"]["name"] for entry in history] == ["third"]
