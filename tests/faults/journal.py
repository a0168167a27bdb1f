"""Clients that write down what they asked for and what they heard, and repeat with its key what was not answered."""

import asyncio
import itertools
from collections import Counter
from typing import Any

import httpx2

from tests.conftest import until

_GOODS = 4
_PAUSE = 0.02  # seconds before a request is repeated: a service that is down refuses in no time
_PATIENCE = 120.0  # seconds that it may be down
# What each kind of request leaves behind, by the mark that it carries. $1 marks
_TRACES = {
    "move": "SELECT reference AS mark, count(*) FROM stock_movements WHERE reference = ANY ($1::text[]) GROUP BY 1",
    "create": "SELECT name AS mark, count(*) FROM goods WHERE name = ANY ($1::text[]) GROUP BY 1",
    "patch": "SELECT after ->> 'name' AS mark, count(*) FROM changes"
    " WHERE operation = 'update' AND after ->> 'name' = ANY ($1::text[])"
    " AND before ->> 'name' <> after ->> 'name' GROUP BY 1",
}
_TRACES["basket"] = _TRACES["move"]
_LEFT_BY = {"move": 1, "create": 1, "patch": 1, "basket": 2}  # entries


class Journal:
    """What was asked, with the answer that was heard in the end."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._answered: dict[tuple[str, str], int] = {}
        self._stop = asyncio.Event()
        self._goods: list[int] = []
        self._tasks: list[asyncio.Task[None]] = []
        self.repeated = 0

    @property
    def answered(self) -> int:
        """How many requests have their answer."""
        return len(self._answered)

    @property
    def outcomes(self) -> Counter[str]:
        return Counter(f"{kind} answered {status}" for (kind, _), status in self._answered.items())

    async def begin(self, clients: int) -> None:
        """Create the goods that are moved about, and let the clients write without end."""
        async with httpx2.AsyncClient(base_url=self._url, timeout=10, verify=False) as client:
            for n in range(_GOODS):
                body = {"name": f"moved {n}", "price": "1.00", "stock": 200 * n}
                self._goods.append((await client.post("/goods", json=body)).json()["id"])
        self._tasks = [asyncio.create_task(self._write(n)) for n in range(clients)]

    async def goes_on(self, requests: int) -> None:
        """Wait until so many more have been answered."""
        until_then = self.answered + requests

        def reached() -> bool:
            for task in self._tasks:
                if task.done():
                    task.result()
            return self.answered >= until_then

        await until(reached, seconds=_PATIENCE)

    async def end(self) -> None:
        """Wait until each client has its last answer."""
        self._stop.set()
        await asyncio.gather(*self._tasks)

    async def compare(self, connection: Any) -> None:
        """All that was acknowledged is there once, and nothing of what was refused."""
        for kind, sql in _TRACES.items():
            statuses = {mark: status for (of, mark), status in self._answered.items() if of == kind}
            traces = dict(await connection.fetch(sql, list(statuses)))
            expected = {mark: _LEFT_BY[kind] for mark, status in statuses.items() if status < 300}
            lost = {mark: expected[mark] for mark in expected if traces.get(mark, 0) < expected[mark]}
            twice = {mark: found for mark, found in traces.items() if found > expected.get(mark, 0)}
            assert (lost, twice) == ({}, {}), kind

    async def _write(self, n: int) -> None:
        async with httpx2.AsyncClient(base_url=self._url, timeout=10, verify=False) as client:
            for turn in itertools.count():
                if self._stop.is_set():
                    return
                kind = ("move", "move", "basket", "create", "patch")[turn % 5]
                mark = f"{kind} {n}-{turn}"
                one, two = self._goods[turn % _GOODS], self._goods[(turn + 1) % _GOODS]
                asked: dict[str, tuple[str, str, Any]] = {
                    "move": ("POST", f"/goods/{one}/stock", {"delta": -1, "reason": "sale", "reference": mark}),
                    "basket": ("POST", "/stock", {"reason": "sale", "reference": mark, "lines": [
                        {"goods_id": one, "delta": 1}, {"goods_id": two, "delta": -1}]}),
                    "create": ("POST", "/goods", {"name": mark, "price": "1.00"}),
                    "patch": ("PATCH", f"/goods/{one}", {"name": mark}),
                }  # fmt: skip
                self._answered[kind, mark] = await self._until_answered(client, *asked[kind], key=mark)

    async def _until_answered(self, client: httpx2.AsyncClient, method: str, path: str, body: Any, *, key: str) -> int:
        """Send it with its key until somebody says that it was done, or that it is refused."""
        async with asyncio.timeout(_PATIENCE):
            while True:
                try:
                    answer = await client.request(method, path, json=body, headers={"Idempotency-Key": key})
                except httpx2.TransportError:
                    pass
                else:
                    busy = answer.status_code == 409 and "stock-too-low" not in answer.text
                    if answer.status_code != 503 and not busy:
                        assert answer.status_code in (200, 201, 409), answer.text
                        return answer.status_code
                self.repeated += 1
                await asyncio.sleep(_PAUSE)
