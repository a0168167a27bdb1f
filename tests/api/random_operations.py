"""Operations of every kind, drawn by hypothesis and done by several connections at once, and what must hold after any.

The short form is in the suite, the long one is a proof.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import httpx2
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from app.goods.services.imports import worker, working
from tests.api.stock_rush import assert_ledgers_are_right
from tests.conftest import Service, until
from tests.proof.replay import replayed

_CONNECTIONS = 6
_PATIENCE = 120.0  # seconds
_CSV = {"Content-Type": "text/csv"}
_NO_STOCK_IS_LEFT_BY_NOTHING = """
SELECT goods_id FROM stock_movements m WHERE NOT EXISTS (SELECT FROM goods g WHERE g.id = m.goods_id)
GROUP BY goods_id HAVING sum(delta) <> 0
"""
_NEVER_NEGATIVE = "SELECT id FROM goods WHERE stock < 0 UNION ALL SELECT id FROM stock_movements WHERE balance < 0"
_TABLES = "goods, stock_movements, changes, imports, idempotency_records"

_SKUS = st.integers(0, 9).map("S{}".format)
_STOCK = st.integers(0, 12)
_DELTA = st.integers(-8, 8).filter(bool)
_LINES = st.lists(st.tuples(_SKUS, _DELTA), min_size=1, max_size=5)
_VALUES = st.lists(st.tuples(_SKUS, _STOCK), min_size=1, max_size=6)


@dataclass(frozen=True)
class Operation:
    """One thing that a client does. `keyed` ones have a key, and are sent three times, two of these at once."""

    kind: str
    arguments: tuple[Any, ...]
    keyed: bool = False


def _of(kind: str, *arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Operation]:
    return st.builds(Operation, st.just(kind), st.tuples(*arguments), st.booleans())


_OPERATIONS = st.one_of(
    _of("create", _SKUS, _STOCK),
    _of("move", _SKUS, _DELTA),
    _of("move", _SKUS, _DELTA),
    _of("basket", _LINES),
    _of("basket", _LINES),
    _of("replace", _SKUS, _SKUS, _STOCK),
    _of("set_stock", _SKUS, _STOCK),
    _of("rename", _SKUS, st.text("abc", min_size=1, max_size=3)),
    _of("bulk", _VALUES),
    _of("delete", _SKUS),
    _of("import_file", _VALUES, st.booleans()),
)


class World:
    """The service, and who is connected to it."""

    def __init__(self, service: Service, connection: Any) -> None:
        self._service = service
        self._connection = connection
        self._clients = [
            httpx2.AsyncClient(base_url=service.url, timeout=_PATIENCE, verify=False) for _ in range(_CONNECTIONS)
        ]
        self._ids: dict[str, int] = {}
        self._keys = 0
        self.done: Counter[str] = Counter()

    async def close(self) -> None:
        for client in self._clients:
            await client.aclose()

    async def begin(self) -> None:
        await self._connection.execute(f"TRUNCATE {_TABLES} RESTART IDENTITY CASCADE")
        self._ids.clear()

    async def do(self, operations: list[Operation]) -> None:
        """All of them at once, and then a look at everything."""
        async with asyncio.TaskGroup() as group:
            for client, operation in zip(self._clients, operations, strict=False):
                group.create_task(self._do(client, operation))
        await self.look()

    async def look(self) -> None:
        await assert_ledgers_are_right(self._connection)
        assert await self._connection.fetch(_NO_STOCK_IS_LEFT_BY_NOTHING) == []
        assert await self._connection.fetch(_NEVER_NEGATIVE) == []

    async def end(self) -> None:
        """The feed, from nothing, is the goods."""
        await self._service.parts.feed.number()
        client, entries, cursor = self._clients[0], [], "0"
        more = True
        while more:
            page = (await client.get("/changes", params={"after": cursor, "limit": 500})).json()
            entries += page["items"]
            cursor, more = page["next"], page["more"]
        exported = (await client.get("/goods/export", params={"format": "ndjson"})).text.splitlines()
        assert replayed(entries) == sorted(map(json.loads, exported), key=lambda good: good["id"])

    async def _do(self, client: httpx2.AsyncClient, operation: Operation) -> None:
        self.done[operation.kind] += 1
        headers = {}
        if operation.keyed:
            self._keys += 1
            headers = {"Idempotency-Key": f"key {self._keys}"}
        await getattr(self, f"_{operation.kind}")(client, headers, *operation.arguments)

    async def _send(
        self, client: httpx2.AsyncClient, method: str, path: str, body: Any, headers: dict[str, str], *expected: int
    ) -> httpx2.Response:
        """The answer; with a key, the one that three attempts have in common."""
        if not headers or method not in ("POST", "PATCH"):
            answer = await client.request(method, path, json=body)
            assert answer.status_code in expected, (method, path, answer.text)
            return answer
        attempts = [client.request(method, path, json=body, headers=headers) for _ in range(2)]
        answers = [*await asyncio.gather(*attempts), await client.request(method, path, json=body, headers=headers)]
        assert all(answer.status_code in expected for answer in answers), (method, path, [a.text for a in answers])
        done = [answer for answer in answers if answer.is_success]
        assert len({answer.content for answer in done}) <= 1, "one key has one answer"
        assert sum("idempotency-replayed" not in answer.headers for answer in done) <= 1, "and one effect"
        return done[0] if done else answers[0]

    async def _create(self, client: httpx2.AsyncClient, headers: dict[str, str], sku: str, stock: int) -> None:
        body = {"sku": sku, "name": "Lantern", "price": "2.50", "stock": stock}
        answer = await self._send(client, "POST", "/goods", body, headers, 201, 409)
        if answer.status_code == 201:
            self._ids[sku] = answer.json()["id"]

    async def _move(self, client: httpx2.AsyncClient, headers: dict[str, str], sku: str, delta: int) -> None:
        path, body = f"/goods/{self._ids.get(sku, 1)}/stock", {"delta": delta, "reason": "sale"}
        answer = await self._send(client, "POST", path, body, headers, 201, 404, 409)
        self.done["refused sales"] += answer.status_code == 409

    async def _basket(self, client: httpx2.AsyncClient, headers: dict[str, str], lines: list[tuple[str, int]]) -> None:
        body = {"lines": [{"sku": sku, "delta": delta} for sku, delta in lines], "reason": "sale"}
        await self._send(client, "POST", "/stock", body, headers, 201, 404, 409)

    async def _replace(
        self, client: httpx2.AsyncClient, headers: dict[str, str], sku: str, new: str, stock: int
    ) -> None:
        body = {"sku": new, "name": "Replaced", "price": "3.50", "stock": stock}
        goods_id = self._ids.get(sku, 1)
        answer = await self._send(client, "PUT", f"/goods/{goods_id}", body, headers, 200, 404, 409)
        if answer.status_code == 200:
            self._ids[new] = goods_id

    async def _set_stock(self, client: httpx2.AsyncClient, headers: dict[str, str], sku: str, stock: int) -> None:
        await self._send(client, "PATCH", f"/goods/{self._ids.get(sku, 1)}", {"stock": stock}, headers, 200, 404)

    async def _rename(self, client: httpx2.AsyncClient, headers: dict[str, str], sku: str, name: str) -> None:
        await self._send(client, "PATCH", f"/goods/{self._ids.get(sku, 1)}", {"name": name}, headers, 200, 404)

    async def _delete(self, client: httpx2.AsyncClient, headers: dict[str, str], sku: str) -> None:
        await self._send(client, "DELETE", f"/goods/{self._ids.get(sku, 1)}", None, headers, 204, 404)

    async def _bulk(self, client: httpx2.AsyncClient, headers: dict[str, str], values: list[tuple[str, int]]) -> None:
        items = [{"sku": sku, "name": "Bulk", "price": "1.50", "stock": stock} for sku, stock in dict(values).items()]
        answer = await self._send(client, "POST", "/goods/bulk", {"items": items}, headers, 200, 409)
        if answer.status_code == 200:
            results = answer.json()["results"]
            for item, result in zip(items, results, strict=True):
                self._ids[str(item["sku"])] = result["id"]

    async def _import_file(
        self,
        client: httpx2.AsyncClient,
        _: dict[str, str],
        values: list[tuple[str, int]],
        undo: bool,  # noqa: FBT001 - drawn
    ) -> None:
        lines = "".join(f"{sku},Imported,4.50,{stock}\n" for sku, stock in values)
        answer = await client.post("/imports", content=f"sku,name,price,stock\n{lines}", headers=_CSV)
        assert answer.status_code == 202, answer.text
        path = answer.headers["location"]
        found = await self._rested(client, path)
        for step, state in (("apply", "applied"), ("undo", "undone"))[: 2 if undo else 1]:
            before = found["state"]
            answer = await client.post(f"{path}/{step}")
            assert answer.status_code == 202, answer.text
            found = await self._rested(client, path)
            assert found["state"] in (state, before)
            self.done[f"imports {found['state']}"] += 1
            if found["state"] == before:
                assert found["problem"]["type"] == "/problems/import-drift"
                return

    async def _rested(self, client: httpx2.AsyncClient, path: str) -> Any:
        """The import, when nobody works on it."""

        async def rested() -> Any:
            found = (await client.get(path)).json()
            return None if found["state"].endswith("ing") else found

        return await until(rested, seconds=_PATIENCE)


def run_operations(
    service: Service, connection: Any, loop: asyncio.AbstractEventLoop, *, examples: int, steps: int
) -> Counter[str]:
    """Do random operations, some at once, and give how many of each kind were done. To be run in a thread."""

    def waited(coroutine: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, loop).result(_PATIENCE * 2)

    world = World(service, connection)

    class Machine(RuleBasedStateMachine):
        @initialize()
        def begin(self) -> None:
            waited(world.begin())

        @rule(operations=st.lists(_OPERATIONS, min_size=1, max_size=_CONNECTIONS))
        def do(self, operations: list[Operation]) -> None:
            waited(world.do(operations))

        def teardown(self) -> None:
            waited(world.end())

    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    try:
        with patch.object(worker, "_in_a_process", working.step):  # a process for each step takes a second
            run_state_machine_as_test(Machine, settings=chosen)
    finally:
        waited(world.close())
    return world.done
