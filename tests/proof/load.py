"""Mixed traffic as a shop has it, to one service, for as long as it is wanted."""

import asyncio
import random
from collections import Counter
from contextlib import suppress

import httpx2

_KINDS = ("read", "list", "search", "stock", "basket", "create", "patch", "delete", "retry", "stream", "leave", "wrong")
_WEIGHTS = (40, 12, 6, 14, 4, 4, 6, 3, 3, 1, 4, 3)
_WORDS = ("lantern", "latern", "wick", "hammer", "tape", "small", "green", "LAN-00")


class Load:
    """Clients that read, search, sell, create, follow the feed, leave in the middle and make mistakes."""

    def __init__(self, url: str, *, clients: int, goods: int, pause: float = 0.0) -> None:
        self._url = url
        self._clients = clients
        self._goods = goods
        self._pause = pause
        self._stop = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.outcomes: Counter[str] = Counter()

    def begin(self) -> None:
        self._tasks = [asyncio.create_task(self._run(n)) for n in range(self._clients)]

    async def end(self) -> None:
        """Let each client finish what it is doing. Raises what went wrong with one."""
        self._stop.set()
        await asyncio.gather(*self._tasks)

    async def _run(self, seed: int) -> None:
        chance = random.Random(seed)
        async with httpx2.AsyncClient(base_url=self._url, timeout=20, verify=False) as client:
            while not self._stop.is_set():
                [kind] = chance.choices(_KINDS, _WEIGHTS)
                status = await getattr(self, f"_{kind}")(client, chance)
                self.outcomes[f"{kind} {status}"] += 1
                await asyncio.sleep(self._pause)

    def _id(self, chance: random.Random) -> int:
        return chance.randint(1, self._goods)

    async def _read(self, client: httpx2.AsyncClient, chance: random.Random) -> int:
        return (await client.get(f"/goods/{self._id(chance)}")).status_code

    async def _list(self, client: httpx2.AsyncClient, chance: random.Random) -> int:
        sort = chance.choice(("id", "-price", "name", "stock"))
        return (await client.get("/goods", params={"limit": 50, "sort": sort})).status_code

    async def _search(self, client: httpx2.AsyncClient, chance: random.Random) -> int:
        return (await client.get("/goods", params={"q": chance.choice(_WORDS)})).status_code

    async def _stock(self, client: httpx2.AsyncClient, chance: random.Random) -> int:
        delta = chance.choice((-2, -1, 3))
        body = {"delta": delta, "reason": "sale" if delta < 0 else "receipt"}
        return (await client.post(f"/goods/{self._id(chance)}/stock", json=body)).status_code

    async def _basket(self, client: httpx2.AsyncClient, chance: random.Random) -> int:
        lines = [{"goods_id": self._id(chance), "delta": chance.choice((-1, 1))} for _ in range(3)]
        return (await client.post("/stock", json={"lines": lines, "reason": "correction"})).status_code

    async def _create(self, client: httpx2.AsyncClient, chance: random.Random) -> int:
        body = {"name": f"Made under load {chance.random()}", "price": "1.00", "stock": 2}
        return (await client.post("/goods", json=body)).status_code

    async def _patch(self, client: httpx2.AsyncClient, chance: random.Random) -> int:
        body = {"price": f"{chance.randint(1, 99)}.50"}
        return (await client.patch(f"/goods/{self._id(chance)}", json=body)).status_code

    async def _delete(self, client: httpx2.AsyncClient, chance: random.Random) -> int:
        """One that was made here, so that the catalogue stays as large as it is."""
        made = (await client.get("/goods", params={"sort": "-created_at", "limit": 5})).json()["items"]
        mine = [good["id"] for good in made if good["id"] > self._goods]
        return (await client.delete(f"/goods/{chance.choice(mine)}")).status_code if mine else 0

    async def _retry(self, client: httpx2.AsyncClient, chance: random.Random) -> int:
        body, key = {"delta": 1, "reason": "return"}, {"Idempotency-Key": str(chance.random())}
        path = f"/goods/{self._id(chance)}/stock"
        answers = [await client.post(path, json=body, headers=key) for _ in range(2)]
        assert answers[0].content == answers[1].content or not answers[0].is_success
        return answers[1].status_code

    async def _stream(self, client: httpx2.AsyncClient, _: random.Random) -> int:
        headers = {"Accept": "text/event-stream"}
        async with client.stream("GET", "/changes?after=0", headers=headers) as answer:
            async for _line in answer.aiter_lines():
                break
            return answer.status_code

    async def _leave(self, client: httpx2.AsyncClient, chance: random.Random) -> int:
        """Go away before the answer has come."""
        with suppress(TimeoutError):
            async with asyncio.timeout(chance.random() / 200):
                await client.get("/goods", params={"limit": 500, "sort": "name"})
        return 0

    async def _wrong(self, client: httpx2.AsyncClient, chance: random.Random) -> int:
        path, body = chance.choice((("/goods", {"name": ""}), ("/goods/0/stock", {}), ("/nothing", {"a": 1})))
        return (await client.post(path, json=body)).status_code
