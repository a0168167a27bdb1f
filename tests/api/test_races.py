"""Clients that change the same good at the same time."""

import asyncio
from collections import Counter
from itertools import pairwise
from typing import Any

import httpx2

from tests.api.support import changes, counted, create, movements, read

# Enough to be at work at once, and few enough for the pool to serve each within its deadline.
CLIENTS = 64


def assert_unbroken(entries: list[dict[str, Any]]) -> None:
    """Each change begins where the one before ended, and versions, numbers and times ascend."""
    assert entries[0]["operation"] == "create"
    assert [entry["version"] for entry in entries] == list(range(1, len(entries) + 1))
    for earlier, later in pairwise(entries):
        assert later["before"] == earlier["after"]
        assert later["seq"] > earlier["seq"]
        assert later["at"] >= earlier["at"]
    for entry in entries:
        if entry["after"] is not None:
            assert entry["after"]["version"] == entry["version"]


async def test_two_clients_with_if_match_never_lose_an_update(client: httpx2.AsyncClient, connection: Any) -> None:
    good = await create(client, stock=0)
    path = f"/goods/{good['id']}"
    updated = await counted(client, "goods_updated_total")

    async def add_one(times: int) -> int:
        """Read, add one, write; once more when another was faster. Gives how often that was."""
        lost = 0
        for _ in range(times):
            while True:
                seen = await client.get(path)
                body = {"stock": seen.json()["stock"] + 1}
                answer = await client.patch(path, json=body, headers={"If-Match": seen.headers["etag"]})
                if answer.status_code == 200:
                    break
                assert answer.status_code == 412, answer.text
                lost += 1
        return lost

    lost = sum(await asyncio.gather(add_one(100), add_one(100)))
    stored = await read(client, good["id"])
    assert (stored["stock"], stored["version"]) == (200, 201)
    assert lost > 0, "the two never met"
    entries = await changes(connection, good["id"])
    assert_unbroken(entries)
    assert [entry["after"]["stock"] for entry in entries] == list(range(201))
    assert [row["balance"] for row in await movements(connection, good["id"])] == list(range(1, 201))
    assert await counted(client, "goods_updated_total") == updated + 200


async def test_of_many_clients_with_one_tag_one_succeeds(client: httpx2.AsyncClient, connection: Any) -> None:
    good = await create(client)
    tag = {"If-Match": f'"{good["id"]}-1"'}
    answers = await asyncio.gather(
        *(client.patch(f"/goods/{good['id']}", json={"name": f"N{n}"}, headers=tag) for n in range(CLIENTS))
    )
    assert Counter(answer.status_code for answer in answers) == {200: 1, 412: CLIENTS - 1}
    assert len(await changes(connection, good["id"])) == 2


async def test_concurrent_patches_are_one_unbroken_chain(client: httpx2.AsyncClient, connection: Any) -> None:
    good = await create(client, stock=1000)
    answers = await asyncio.gather(
        *(client.patch(f"/goods/{good['id']}", json={"name": f"N{n}", "stock": n}) for n in range(CLIENTS))
    )
    assert {answer.status_code for answer in answers} == {200}
    assert sorted(answer.json()["version"] for answer in answers) == list(range(2, CLIENTS + 2))
    for n, answer in enumerate(answers):
        assert (answer.json()["name"], answer.json()["stock"]) == (f"N{n}", n)
        assert answer.headers["etag"] == f'"{good["id"]}-{answer.json()["version"]}"'
    entries = await changes(connection, good["id"])
    assert_unbroken(entries)
    by_version = {answer.json()["version"]: answer.json() for answer in answers}
    assert {entry["version"]: entry["after"] for entry in entries[1:]} == by_version
    assert await read(client, good["id"]) == entries[-1]["after"]
    ledger = await movements(connection, good["id"])
    assert [row["goods_version"] for row in ledger] == list(range(1, CLIENTS + 2))
    assert sum(row["delta"] for row in ledger) == entries[-1]["after"]["stock"]
    assert [row["balance"] for row in ledger] == [entry["after"]["stock"] for entry in entries]


async def test_equal_patches_at_once_change_it_once(client: httpx2.AsyncClient, connection: Any) -> None:
    good = await create(client)
    updated = await counted(client, "goods_updated_total")
    answers = await asyncio.gather(
        *(client.patch(f"/goods/{good['id']}", json={"name": "Same"}) for _ in range(CLIENTS))
    )
    assert {(answer.status_code, answer.headers["etag"]) for answer in answers} == {(200, f'"{good["id"]}-2"')}
    assert len({answer.text for answer in answers}) == 1
    assert len(await changes(connection, good["id"])) == 2
    assert await counted(client, "goods_updated_total") == updated + 1


async def test_a_replacement_and_a_deletion_at_once_both_end_well(client: httpx2.AsyncClient, connection: Any) -> None:
    goods = [await create(client, stock=n) for n in range(40)]
    calls = [
        call
        for good in goods
        for call in (
            client.put(f"/goods/{good['id']}", json={"name": "Last", "price": "1", "stock": 50}),
            client.delete(f"/goods/{good['id']}"),
            client.patch(f"/goods/{good['id']}", json={"category": "X"}),
        )
    ]
    answers = await asyncio.gather(*calls)
    assert {answer.status_code for answer in answers} <= {200, 204, 404}
    assert [answer.status_code for answer in answers[1::3]] == [204] * len(goods)
    assert await connection.fetchval("SELECT count(*) FROM goods") == 0
    for n, good in enumerate(goods):
        entries = await changes(connection, good["id"])
        assert_unbroken(entries)
        assert entries[-1]["operation"] == "delete"
        succeeded = sum(answer.status_code == 200 for answer in answers[3 * n : 3 * n + 3])
        assert len(entries) == 2 + succeeded
        assert sum(row["delta"] for row in await movements(connection, good["id"])) == 0


async def test_many_deletions_of_one_good_are_one(client: httpx2.AsyncClient, connection: Any) -> None:
    good = await create(client, stock=5)
    answers = await asyncio.gather(*(client.delete(f"/goods/{good['id']}") for _ in range(CLIENTS)))
    assert Counter(answer.status_code for answer in answers) == {204: 1, 404: CLIENTS - 1}
    assert len(await changes(connection, good["id"])) == 2
    assert [row["delta"] for row in await movements(connection, good["id"])] == [5, -5]


async def test_goods_that_swap_their_skus_never_share_one(client: httpx2.AsyncClient, connection: Any) -> None:
    goods = [await create(client, sku=f"S{n}") for n in range(8)]
    calls = [
        client.patch(f"/goods/{good['id']}", json={"sku": f"S{(n + turn) % 8}"})
        for turn in range(4)
        for n, good in enumerate(goods)
    ]
    answers = await asyncio.gather(*calls, client.delete(f"/goods/{goods[0]['id']}"))
    assert {answer.status_code for answer in answers} <= {200, 204, 404, 409}
    assert await connection.fetchval("SELECT count(DISTINCT sku) = count(*) FROM goods")
    for good in goods:
        assert_unbroken(await changes(connection, good["id"]))


async def test_a_deadlock_is_not_the_callers_concern(client: httpx2.AsyncClient, connection: Any) -> None:
    """What PostgreSQL ended to break a deadlock it rolled back whole, so the service tries it again by itself.

    The deadlock is raised by a trigger, once (a sequence does not roll back), because a real one is found after a
    second, which is half of a request's time.
    """
    good = await create(client)
    await connection.execute("""
        CREATE SEQUENCE deadlocks;
        CREATE FUNCTION deadlock_once() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF nextval('deadlocks') = 1 THEN RAISE EXCEPTION 'deadlock detected' USING ERRCODE = '40P01'; END IF;
          RETURN NEW;
        END $$;
        CREATE TRIGGER deadlock_once BEFORE UPDATE ON goods FOR EACH ROW EXECUTE FUNCTION deadlock_once()
    """)
    try:
        answer = await client.patch(f"/goods/{good['id']}", json={"name": "Twice"})
        assert await connection.fetchval("SELECT last_value FROM deadlocks") == 2
    finally:
        await connection.execute("DROP FUNCTION deadlock_once CASCADE; DROP SEQUENCE deadlocks")
    assert answer.status_code == 200, answer.text
    assert_unbroken(await changes(connection, good["id"]))
    assert len(await changes(connection, good["id"])) == 2
