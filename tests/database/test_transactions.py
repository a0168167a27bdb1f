"""What was acknowledged is stored, what failed is not there at all, and the books always balance."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from tests.api.support import everything
from tests.conftest import Service

# A rule of the database that nobody foresaw, for the good with this SKU only.
_REFUSE = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF coalesce(NEW.sku, OLD.sku) = 'REFUSED' THEN
    RAISE EXCEPTION 'refused for a test' USING ERRCODE = TG_ARGV[0];
  END IF;
  RETURN NEW;
END $$;
CREATE FUNCTION refuse_all() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'refused for a test' USING ERRCODE = TG_ARGV[0];
END $$
"""
_AT_COMMIT = """
CREATE CONSTRAINT TRIGGER refused AFTER INSERT OR UPDATE OR DELETE ON goods
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse('{code}')
"""
_REFUSED = {"sku": "REFUSED", "name": "changed", "price": "2.00", "stock": 9}
_WRITES = ["POST", "PUT", "PATCH", "DELETE"]


@pytest.fixture
async def refusals(connection: Any) -> AsyncIterator[Any]:
    """A connection to create triggers with; they are gone after the test."""
    await connection.execute(_REFUSE)
    yield connection
    await connection.execute("DROP FUNCTION refuse, refuse_all CASCADE")


def counted(service: Service) -> dict[str, float]:
    """The counters of what was done."""
    return {
        f"{sample.name} {sorted(sample.labels.items())}": sample.value
        for metric in service.parts.exposition.registry.collect()
        for sample in metric.samples
        if sample.name in ("goods_created_total", "goods_updated_total")
        or (sample.name == "goods_operations_total" and sample.labels["result"] == "ok")
    }


async def write(client: httpx2.AsyncClient, method: str) -> httpx2.Response:
    """One write of the good that the triggers refuse."""
    if method == "POST":
        return await client.post("/goods", json=_REFUSED)
    if method == "DELETE":
        return await client.delete("/goods/1")
    return await client.request(method, "/goods/1", json=_REFUSED)


@pytest.mark.parametrize("method", _WRITES)
@pytest.mark.parametrize(("code", "status"), [("23514", 500), ("P0001", 500), ("40001", 503), ("53100", 503)])
async def test_a_commit_that_fails_is_never_acknowledged(
    client: httpx2.AsyncClient, service: Service, refusals: Any, *, method: str, code: str, status: int
) -> None:
    if method != "POST":
        await client.post("/goods", json={**_REFUSED, "name": "first", "stock": 3})
    await refusals.execute(_AT_COMMIT.format(code=code))
    before, counters = await everything(refusals), counted(service)
    answer = await write(client, method)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert "refused for a test" not in answer.text
    assert await everything(refusals) == before
    assert counted(service) == counters
    # The connection is whole again: the next write goes through it, and no other good is bothered.
    assert (await client.post("/goods", json={**_REFUSED, "sku": "OTHER"})).status_code == 201


@pytest.mark.parametrize("method", _WRITES)
@pytest.mark.parametrize("table", ["changes", "stock_movements", "goods"])
async def test_a_good_its_ledger_and_its_feed_are_written_together_or_not_at_all(
    client: httpx2.AsyncClient, service: Service, refusals: Any, method: str, table: str
) -> None:
    if method != "POST":
        await client.post("/goods", json={**_REFUSED, "name": "first", "stock": 3})
    await refusals.execute(
        f"CREATE TRIGGER refused AFTER INSERT OR UPDATE OR DELETE ON {table}"
        " FOR EACH ROW EXECUTE FUNCTION refuse_all('23514')"
    )
    before, counters = await everything(refusals), counted(service)
    assert (await write(client, method)).status_code == 500
    assert await everything(refusals) == before
    assert counted(service) == counters


async def test_a_change_that_works_writes_its_good_its_ledger_and_its_feed(
    client: httpx2.AsyncClient, service: Service, connection: Any
) -> None:
    before = counted(service)
    for method in _WRITES:
        assert (await write(client, method)).is_success
    rows = await everything(connection)
    assert rows["goods"] == []
    assert [(row["goods_version"], row["delta"], row["balance"]) for row in rows["stock_movements"]] == [
        (1, 9, 9),
        (2, -9, 0),
    ]
    assert [(row["operation"], row["version"]) for row in rows["changes"]] == [("create", 1), ("delete", 2)]
    risen = {name for name, value in counted(service).items() if value > before[name]}
    assert {name.partition(" ")[0] for name in risen} == {"goods_created_total", "goods_operations_total"}


class Traffic:
    """Random writes by many clients at a time to a few goods, remembering what was acknowledged."""

    def __init__(self, client: httpx2.AsyncClient, seed: int) -> None:
        self.client = client
        self.random = random.Random(seed)
        self.ids = [1]
        self.answers: Counter[tuple[str, int]] = Counter()
        self.versions: dict[int, list[int]] = {}

    async def run(self, requests: int, *, clients: int) -> None:
        async def one_client() -> None:
            for _ in range(requests // clients):
                await self._one()

        await asyncio.gather(*(one_client() for _ in range(clients)))

    async def _one(self) -> None:
        choose = self.random
        method = choose.choices(["POST", "PUT", "PATCH", "DELETE"], [12, 35, 45, 8])[0]
        body: dict[str, Any] = {"stock": choose.randrange(4), "price": f"{choose.randrange(9)}.50"}
        if method == "POST" or choose.random() < 0.2:
            body["sku"] = f"S{choose.randrange(30)}"
        if method in ("POST", "PUT"):
            body["name"] = f"n{choose.randrange(3)}"
        goods_id = choose.choice(self.ids[-20:])
        headers = {}
        if method != "POST" and choose.random() < 0.3:
            headers["If-Match"] = f'"{goods_id}-{choose.randrange(1, 9)}"'
        path = "/goods" if method == "POST" else f"/goods/{goods_id}"
        answer = await self.client.request(method, path, json=None if method == "DELETE" else body, headers=headers)
        self.answers[method, answer.status_code] += 1
        if method == "POST" and answer.status_code == 201:
            self.ids.append(answer.json()["id"])
        if answer.status_code in (200, 201):
            good = answer.json()
            assert answer.headers["etag"] == f'"{good["id"]}-{good["version"]}"'
            self.versions.setdefault(good["id"], []).append(good["version"])


@pytest.fixture
async def traffic(client: httpx2.AsyncClient) -> Traffic:
    made = Traffic(client, seed=random.randrange(10**6))
    await made.run(2000, clients=20)
    return made


async def test_the_books_balance_after_thousands_of_concurrent_writes(traffic: Traffic, connection: Any) -> None:
    expected = {
        *(("POST", status) for status in (201, 409)),
        *((method, status) for method in ("PUT", "PATCH") for status in (200, 404, 409, 412)),
        *(("DELETE", status) for status in (204, 404, 412)),
    }
    assert set(traffic.answers) <= expected
    assert traffic.answers["PATCH", 200] > 200
    await _assert_ledger_balances(connection)
    await _assert_feed_rebuilds_the_goods(connection)
    entries = Counter([row[0] for row in await connection.fetch("SELECT operation FROM changes")])
    assert entries["create"] == traffic.answers["POST", 201]
    assert entries["delete"] == traffic.answers["DELETE", 204]
    acknowledged = {(id_, version) for id_, versions in traffic.versions.items() for version in versions}
    written = await connection.fetch("SELECT goods_id, version FROM changes WHERE operation <> 'delete'")
    assert acknowledged == {tuple(row) for row in written}, "each version that was answered, and no other"


async def _assert_ledger_balances(connection: Any) -> None:
    off = await connection.fetch(
        "SELECT g.id, g.stock, m.total FROM goods g FULL JOIN (SELECT goods_id, sum(delta) AS total"
        " FROM stock_movements GROUP BY goods_id) m ON m.goods_id = g.id"
        " WHERE coalesce(g.stock, 0) <> coalesce(m.total, 0)"
    )
    assert off == [], "stock is the sum of its movements, and 0 for what was deleted"
    off = await connection.fetch(
        "SELECT * FROM (SELECT balance, sum(delta) OVER (PARTITION BY goods_id ORDER BY id) AS total"
        " FROM stock_movements) m WHERE balance <> total"
    )
    assert off == [], "each movement's balance is the sum up to it"


async def _assert_feed_rebuilds_the_goods(connection: Any) -> None:
    replayed: dict[int, dict[str, Any]] = {}
    last: dict[int, int] = {}
    for row in await connection.fetch("SELECT * FROM changes ORDER BY seq"):
        goods_id, version = row["goods_id"], row["version"]
        assert version == last.get(goods_id, 0) + 1, "versions ascend by one, in the order of seq"
        last[goods_id] = version
        before = json.loads(row["before"]) if row["before"] else None
        assert before == replayed.pop(goods_id, None), "each change begins where the one before ended"
        if row["after"]:
            after = replayed[goods_id] = json.loads(row["after"])
            assert before is None or before["updated_at"] <= after["updated_at"]
    goods = {
        row[0]: json.loads(row[1]) for row in await connection.fetch("SELECT id, row_to_json(g)::text FROM goods g")
    }
    assert replayed.keys() == goods.keys()
    for goods_id, good in goods.items():
        same = ("sku", "name", "description", "category", "stock", "version")
        assert [replayed[goods_id][name] for name in same] == [good[name] for name in same]
        assert float(replayed[goods_id]["price"]) == float(good["price"])


async def test_of_many_who_change_the_same_version_one_succeeds(client: httpx2.AsyncClient, connection: Any) -> None:
    created = await client.post("/goods", json={"name": "contested", "price": 1})
    tag = created.headers["etag"]
    answers = await asyncio.gather(
        *(client.patch("/goods/1", json={"stock": n}, headers={"If-Match": tag}) for n in range(1, 21))
    )
    assert Counter(answer.status_code for answer in answers) == {200: 1, 412: 19}
    assert await connection.fetchval("SELECT count(*) FROM changes") == 2


async def test_of_many_who_create_the_same_sku_one_succeeds(client: httpx2.AsyncClient, connection: Any) -> None:
    answers = await asyncio.gather(
        *(client.post("/goods", json={"sku": "ONE", "name": "x", "price": 1, "stock": 1}) for _ in range(20))
    )
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 19}
    rows = await everything(connection)
    assert {table: len(found) for table, found in rows.items()} == dict.fromkeys(rows, 1)
