"""What the clients of `goods demo-traffic` do: mostly reading, some writing, and the mistakes that clients make.

Whatever is changed or sold is a good of the run's own.
"""

import asyncio
import random
import secrets
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final
from urllib.parse import quote

import httpx2

_OWN_GOODS = 12  # at the beginning
_FEWEST, _MOST = 6, 40
_SHOWN = 200  # goods of the catalogue that are read
_FAR_TOO_MANY = 1_000_000
_NO_SUCH_ID = 2_000_000_000
_IMPORT_LINES = 5
_STEP_SECONDS = 20.0  # for each step of an import
_CLOSING_SECONDS = 60.0
_NAME: Final = "Temporary good of goods demo-traffic"
_CATEGORY: Final = "Demo traffic"
_SORTS: Final = ("id", "name", "-price", "-updated_at", "stock")

# How often each occurs in a hundred.
MIX: Final = {
    "read": 30,
    "read again": 3,
    "read by SKU": 6,
    "list": 11,
    "search": 8,
    "search with a slip": 2,
    "categories": 2,
    "history": 2,
    "changes": 1,
    "export": 1,
    "create": 3,
    "patch": 6,
    "replace": 2,
    "sell": 7,
    "receive": 2,
    "basket": 3,
    "bulk": 1,
    "send twice": 1,
    "delete": 2,
    "no such good": 2,
    "no such page": 1,
    "bad input": 1,
    "sell too many": 1,
    "take a SKU twice": 1,
    "change what has changed": 1,
}


class DemoError(Exception):
    """The deployment cannot be used: it does not answer, or it refuses."""


class DemoShop:
    """Sends the requests, and keeps account of what it made, so that it can be taken away again."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self.answers: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._client = client
        self._run = secrets.token_hex(4).upper()
        self._made = 0
        self._own: list[Any] = []
        self._may_be_left: set[str] = set()  # SKUs
        self._catalogue: list[Any] = []
        self._acts: dict[str, Callable[[], Awaitable[object]]] = {
            "read": lambda: self._get("read", f"/goods/{self._popular()['id']}"),
            "read again": self._read_again,
            "read by SKU": lambda: self._get("read by SKU", f"/goods/by-sku/{quote(self._popular()['sku'])}"),
            "list": self._list,
            "search": lambda: self._get("search", "/goods", q=self._word(), limit=20),
            "search with a slip": lambda: self._get("search with a slip", "/goods", q=_slip(self._word()), limit=20),
            "categories": lambda: self._get("categories", "/categories"),
            "history": lambda: self._get("history", f"/goods/{self._popular()['id']}/history"),
            "changes": lambda: self._get("changes", "/changes", after="latest"),
            "export": lambda: self._get("export", "/goods/export", category=_CATEGORY),
            "create": lambda: self._create("create", self._next_sku()) if len(self._own) < _MOST else self._delete(),
            "patch": lambda: self._send("patch", "PATCH", self._path(), {"price": _price(), "description": _NAME}),
            "replace": lambda: self._send("replace", "PUT", self._path(), {"name": _NAME, "price": _price()}),
            "sell": lambda: self._move("sell", -random.randint(1, 3), "sale"),
            "receive": lambda: self._move("receive", random.randint(5, 20), "receipt"),
            "basket": self._basket,
            "bulk": self._bulk,
            "send twice": self._send_twice,
            "delete": self._delete,
            "no such good": lambda: self._get("no such good", f"/goods/{_NO_SUCH_ID}"),
            "no such page": lambda: self._get("no such page", f"/wp-login-{random.randrange(10**6)}.php"),
            "bad input": lambda: self._send("bad input", "POST", "/goods", {"name": "", "price": "1.999"}),
            "sell too many": lambda: self._move("sell too many", -_FAR_TOO_MANY, "sale"),
            "take a SKU twice": lambda: self._create("take a SKU twice", random.choice(self._own)["sku"]),
            "change what has changed": self._change_what_has_changed,
        }

    async def open(self) -> None:
        """Look at the catalogue and make the first goods. Raises DemoError if that cannot be done."""
        page = await self._get("list", "/goods", limit=_SHOWN)
        if page is None or page.status_code != 200:
            raise DemoError(f"GET /goods: {said(page)}")
        self._catalogue = page.json()["items"]
        for _ in range(_OWN_GOODS):
            answer = await self._create("create", self._next_sku())
            if answer is None or answer.status_code != 201:
                raise DemoError(f"POST /goods: {said(answer)}")

    async def act(self, name: str) -> None:
        """Do one thing of `MIX`."""
        await self._acts[name]()

    async def import_and_undo(self) -> None:
        """Plan an import of a few goods with a line that is refused, apply it and undo it, as far as it is allowed."""
        skus = [self._next_sku() for _ in range(_IMPORT_LINES)]
        lines = [f"{sku},{_NAME},{_price()},{_CATEGORY}" for sku in skus]
        file = "\n".join(["sku,name,price,category", *lines, f"{self._next_sku()},{_NAME},free,{_CATEGORY}", ""])
        self._may_be_left.update(skus)
        answer = await self._answered("import", "POST", "/imports", content=file, headers={"Content-Type": "text/csv"})
        if answer is None or answer.status_code != 202:
            return
        place = f"/imports/{answer.json()['id']}"
        for step, state in (("apply", "planned"), ("undo", "applied")):
            if not await self._becomes(place, state):
                return
            await self._send("import", "POST", f"{place}/{step}", None)
        await self._becomes(place, "undone")

    async def close(self) -> list[str]:
        """Delete what was made; give the SKUs of what could not be, in the time there is for it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSING_SECONDS):
                for pause in (0, 1, 2, 4):
                    await asyncio.sleep(pause)
                    for sku in sorted(self._may_be_left):
                        if await self._taken_away(sku):
                            self._may_be_left.discard(sku)
                    if not self._may_be_left:
                        break
        return sorted(self._may_be_left)

    async def _read_again(self) -> None:
        path = f"/goods/{self._popular()['id']}"
        first = await self._get("read again", path)
        if first is not None and "ETag" in first.headers:
            await self._answered("read again", "GET", path, headers={"If-None-Match": first.headers["ETag"]})

    async def _list(self) -> None:
        filters: dict[str, Any] = {"sort": random.choice(_SORTS), "limit": random.choice((20, 50, 100))}
        if random.random() < 0.5:
            filters["category"] = self._popular()["category"]
        if random.random() < 0.3:
            filters["in_stock"] = "true"
        page = await self._get("list", "/goods", **filters)
        if page is not None and page.status_code == 200 and page.json()["next"]:
            await self._get("list", "/goods", **filters, after=page.json()["next"])

    async def _create(self, act: str, sku: str) -> httpx2.Response | None:
        self._may_be_left.add(sku)
        body = {"sku": sku, "name": _NAME, "price": _price(), "stock": random.randint(0, 40), "category": _CATEGORY}
        answer = await self._send(act, "POST", "/goods", body)
        if answer is not None and answer.status_code == 201:
            self._own.append(answer.json())
        elif answer is not None and answer.is_client_error and answer.status_code != 409:
            self._may_be_left.discard(sku)
        return answer

    async def _move(self, act: str, delta: int, reason: str) -> None:
        await self._send(act, "POST", f"{self._path()}/stock", {"delta": delta, "reason": reason, "reference": _NAME})

    async def _basket(self) -> None:
        goods = random.sample(self._own, random.randint(2, 4))
        lines = [{"goods_id": good["id"], "delta": -random.randint(1, 2)} for good in goods]
        await self._send("basket", "POST", "/stock", {"lines": lines, "reason": "sale", "reference": _NAME})

    async def _bulk(self) -> None:
        items = [{"sku": good["sku"], "price": _price()} for good in random.sample(self._own, 3)]
        await self._send("bulk", "POST", "/goods/bulk", {"items": items})

    async def _send_twice(self) -> None:
        path, body, headers = f"{self._path()}/stock", {"delta": 1, "reason": "return"}, _idempotency_key()
        for _ in range(2):
            await self._answered("send twice", "POST", path, json=body, headers=headers)

    async def _change_what_has_changed(self) -> None:
        good = random.choice(self._own)
        headers = {"If-Match": f'"{good["id"]}-{10**9}"'}
        await self._answered(
            "change what has changed", "PATCH", f"/goods/{good['id']}", json={"price": "1.00"}, headers=headers
        )

    async def _delete(self) -> None:
        if len(self._own) <= _FEWEST:
            return
        good = self._own.pop(random.randrange(len(self._own)))
        answer = await self._answered("delete", "DELETE", f"/goods/{good['id']}")
        if answer is not None and answer.status_code in (204, 404):
            self._may_be_left.discard(good["sku"])

    async def _becomes(self, place: str, state: str) -> bool:
        """Wait for an import to reach a state; False if it takes another way, or too long."""
        try:
            async with asyncio.timeout(_STEP_SECONDS):
                while True:
                    answer = await self._get("import", place)
                    if answer is None or answer.status_code != 200:
                        return False
                    now = answer.json()["state"]
                    if now == state or not now.endswith("ing"):
                        return bool(now == state)
                    await asyncio.sleep(0.2)
        except TimeoutError:
            return False

    async def _taken_away(self, sku: str) -> bool:
        found = await self._get("clear up", f"/goods/by-sku/{sku}")
        if found is None or found.status_code != 200:
            return found is not None and found.status_code == 404
        answer = await self._answered("clear up", "DELETE", f"/goods/{found.json()['id']}")
        return answer is not None and answer.status_code in (204, 404)

    async def _get(self, act: str, path: str, **parameters: Any) -> httpx2.Response | None:
        return await self._answered(act, "GET", path, params=parameters)

    async def _send(self, act: str, method: str, path: str, body: Any) -> httpx2.Response | None:
        headers = _idempotency_key() if method in ("POST", "PATCH") else {}
        return await self._answered(act, method, path, json=body, headers=headers)

    async def _answered(self, act: str, method: str, path: str, **more: Any) -> httpx2.Response | None:
        """The answer, counted; None where there was none."""
        try:
            answer = await self._client.request(method, path, **more)
        except httpx2.TransportError as error:
            self.answers[act][type(error).__name__] += 1
            return None
        self.answers[act][str(answer.status_code)] += 1
        return answer

    def _popular(self) -> Any:
        """A good of the catalogue; some are asked for far more often than others."""
        goods = self._catalogue or self._own
        return goods[int(len(goods) * random.random() ** 3)]

    def _word(self) -> str:
        name: str = self._popular()["name"]
        words = [word for word in name.split() if len(word) > 3 and word.isalpha()]
        return random.choice(words or ["temporary"])

    def _path(self) -> str:
        return f"/goods/{random.choice(self._own)['id']}"

    def _next_sku(self) -> str:
        self._made += 1
        return f"TRAFFIC-{self._run}-{self._made}"


def said(answer: httpx2.Response | None) -> str:
    """Why an answer is not the one that was hoped for."""
    if answer is None:
        return "no answer"
    try:
        return f"{answer.status_code} {answer.json()['detail']}"
    except (ValueError, KeyError, TypeError):
        return f"{answer.status_code} {answer.reason_phrase}"


def _idempotency_key() -> dict[str, str]:
    return {"Idempotency-Key": secrets.token_hex(16)}


def _price() -> str:
    return f"{random.randint(100, 9_999) / 100:.2f}"


def _slip(word: str) -> str:
    """The word with two letters in the middle the wrong way round."""
    middle = len(word) // 2
    return f"{word[: middle - 1]}{word[middle]}{word[middle - 1]}{word[middle + 1 :]}"
