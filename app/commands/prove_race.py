"""`goods prove --race`: many clients sell too little stock of a deployment, and what they sold must add up.

It works on goods of its own, through the public interface alone, and takes them away again.
"""

import asyncio
import random
import secrets
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import httpx2
import typer

from app.commands.database import announce

_TRIES = 10
_LONGEST_PAUSE = 10.0  # seconds
_TIMEOUT = 30.0  # seconds for each request
_GOODS_IN_BASKETS = 8
_SALES_TO_A_BASKET = 10  # there is a basket for so many sales
_PAGE = 500


class RaceError(Exception):
    """The race could not be run: the deployment refused what it needs, or did not answer."""


@dataclass(frozen=True, slots=True)
class Race:
    """Who races where: `clients` at once attempt `sales` of one piece of a good with `stock`. `key` is an API key."""

    url: str
    clients: int
    sales: int
    stock: int
    key: str | None = None


@dataclass(slots=True)
class Finding:
    """What was counted, in the order to be shown, and what does not add up."""

    counts: dict[str, str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def check(self, claim: str, found: object, expected: object) -> None:
        if found != expected:
            self.wrong.append(f"{claim}: {found}, expected {expected}")


def prove_race(race: Race) -> None:
    """Run the race and print what was sold, refused and left. Exits with 1 if it does not add up or cannot be run."""
    if not race.url.startswith(("http://", "https://")):
        sys.exit(f"goods: {race.url} is no URL of a deployment, which would be as http://127.0.0.1:8000")
    try:
        finding = asyncio.run(_race(race))
    except RaceError as error:
        sys.exit(f"goods: {error}")
    for name, value in finding.counts.items():
        typer.echo(f"{name:<36}{value:>12}")
    if finding.wrong:
        for line in finding.wrong:
            announce(f"goods: {line}")
        sys.exit("goods: it does not add up")
    typer.echo("It adds up.")


async def _race(race: Race) -> Finding:
    headers = {"X-API-Key": race.key} if race.key else {}
    limits = httpx2.Limits(max_connections=race.clients, max_keepalive_connections=race.clients)
    finding = Finding()
    async with httpx2.AsyncClient(base_url=race.url, headers=headers, timeout=_TIMEOUT, limits=limits) as client:
        deployment = _Deployment(client)
        async with _goods(deployment, race.stock, 1) as [good]:
            await _sell(deployment, race, good, finding)
        async with _goods(deployment, max(1, race.sales // 20), _GOODS_IN_BASKETS) as goods:
            await _fill_baskets(deployment, race, goods, finding)
    finding.counts["requests tried again"] = f"{deployment.tried_again:,}"
    return finding


async def _sell(deployment: "_Deployment", race: Race, good: Any, finding: Finding) -> None:
    """Attempt all sales, each with a key of its own, and one more with a key that all clients share."""
    path, body = f"/goods/{good['id']}/stock", {"delta": -1, "reason": "sale", "reference": "goods prove"}
    began = perf_counter()
    answers = await _at_once(race.clients, (lambda: deployment.write("POST", path, body) for _ in range(race.sales)))
    seconds = perf_counter() - began
    outcomes = Counter(answer.status_code for answer in answers)
    sold, refused = outcomes[201], outcomes[409]
    left = (await deployment.read(f"/goods/{good['id']}"))["stock"]
    ledger = [movement for movement in await deployment.movements(good["id"]) if movement["reason"] == "sale"]
    finding.counts |= {
        "clients": f"{race.clients:,}",
        "sales of one piece attempted": f"{race.sales:,}",
        "pieces there were": f"{race.stock:,}",
        "sold": f"{sold:,}",
        "refused, as there was none left": f"{refused:,}",
        "left": f"{left:,}",
        "sales in the ledger": f"{len(ledger):,}",
        "sales attempted in a second": f"{race.sales / seconds:,.0f}",
    }
    expected = min(race.sales, race.stock)
    finding.check("sold", sold, expected)
    finding.check("refused", refused, race.sales - expected)
    finding.check("left", left, race.stock - expected)
    finding.check("sales in the ledger", len(ledger), expected)
    balances = sorted(movement["balance"] for movement in ledger)
    finding.check("balances in the ledger", balances, list(range(race.stock - expected, race.stock)))

    key = secrets.token_hex(16)
    receipt = {"delta": 1, "reason": "receipt", "reference": "goods prove"}
    same = await _at_once(
        race.clients, (lambda: deployment.write("POST", path, receipt, key=key) for _ in range(race.clients))
    )
    different = len({answer.content for answer in same})
    finding.counts["answers to one key, sent by all"] = f"{different:,}"
    finding.check("answers to one key", different, 1)
    finding.check("left, after one receipt", (await deployment.read(f"/goods/{good['id']}"))["stock"], left + 1)


async def _fill_baskets(deployment: "_Deployment", race: Race, goods: list[Any], finding: Finding) -> None:
    """Baskets of several goods in random order: all of their lines are moved, or none is."""
    bodies: list[dict[str, Any]] = []
    for n in range(max(1, race.sales // _SALES_TO_A_BASKET)):
        chosen = random.sample(goods, random.randint(2, 4))  # noqa: S311 - nothing secret
        lines = [{"goods_id": good["id"], "delta": -random.randint(1, 3)} for good in chosen]  # noqa: S311 - as above
        bodies.append({"lines": lines, "reason": "sale", "reference": f"basket {n}"})
    requests = [lambda body=body: deployment.write("POST", "/stock", body) for body in bodies]
    answers = await _at_once(race.clients, requests)
    moved = [body for body, answer in zip(bodies, answers, strict=True) if answer.status_code == 201]
    finding.counts |= {
        "baskets attempted": f"{len(bodies):,}",
        "baskets moved": f"{len(moved):,}",
        "baskets refused": f"{len(bodies) - len(moved):,}",
    }
    for good in goods:
        expected = {
            body["reference"]: line["delta"]
            for body in moved
            for line in body["lines"]
            if line["goods_id"] == good["id"]
        }
        ledger = [entry for entry in await deployment.movements(good["id"]) if entry["reason"] == "sale"]
        left = (await deployment.read(f"/goods/{good['id']}"))["stock"]
        finding.check(f"left of {good['sku']}", left, good["stock"] + sum(expected.values()))
        finding.check(f"lines in the ledger of {good['sku']}", {m["reference"]: m["delta"] for m in ledger}, expected)


@asynccontextmanager
async def _goods(deployment: "_Deployment", stock: int, count: int) -> AsyncIterator[list[Any]]:
    """New goods that have `stock` each; they are deleted when the block ends, however it does."""
    goods: list[Any] = []
    try:
        for _ in range(count):
            sku = f"PROVE-{secrets.token_hex(6).upper()}"
            body = {"sku": sku, "name": "Temporary good of goods prove", "price": "1.00", "stock": stock}
            goods.append((await deployment.write("POST", "/goods", body)).json())
        yield goods
    finally:
        for good in goods:
            try:
                await deployment.delete(f"/goods/{good['id']}")
            except RaceError as error:
                announce(f"goods: {good['sku']} (id {good['id']}) is left over: {error}")


class _Deployment:
    """The service under proof. Requests that it could not answer are sent again, with the same key."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client
        self.tried_again = 0

    async def read(self, path: str) -> Any:
        answer = await self._answer("GET", path, None, {})
        if answer.status_code != 200:
            raise RaceError(f"GET {path}: {_said(answer)}")
        return answer.json()

    async def movements(self, goods_id: int) -> list[Any]:
        """All movements of a good, newest first."""
        path = f"/goods/{goods_id}/stock/movements?limit={_PAGE}"
        page = await self.read(path)
        found: list[Any] = page["items"]
        while page["next"]:
            page = await self.read(f"{path}&after={page['next']}")
            found += page["items"]
        return found

    async def write(self, method: str, path: str, body: Any, *, key: str | None = None) -> httpx2.Response:
        """Its answer: that it did it, or that there was too little stock, or none that may be had by trying again."""
        answer = await self._answer(method, path, body, {"Idempotency-Key": key or secrets.token_hex(16)})
        refused = answer.status_code == 409 and answer.json().get("type") == "/problems/stock-too-low"
        if not (answer.is_success or refused):
            raise RaceError(f"{method} {path}: {_said(answer)}")
        return answer

    async def delete(self, path: str) -> None:
        answer = await self._answer("DELETE", path, None, {})
        if answer.status_code not in (204, 404):  # 404: an attempt before it was carried out, and its answer lost
            raise RaceError(f"DELETE {path}: {_said(answer)}")

    async def _answer(self, method: str, path: str, body: Any, headers: dict[str, str]) -> httpx2.Response:
        said = ""
        for n in range(_TRIES):
            pause = min(0.1 * 2**n, _LONGEST_PAUSE)
            try:
                answer = await self._client.request(method, path, json=body, headers=headers)
                if not _may_be_better_later(answer):
                    return answer
                said = _said(answer)
                wanted = answer.headers.get("Retry-After", "")
                pause = min(float(wanted), _LONGEST_PAUSE) if wanted.isdecimal() else pause
            except httpx2.TransportError as error:
                said = f"{type(error).__name__} {error}".strip()
            self.tried_again += 1
            await asyncio.sleep(random.uniform(pause / 2, pause))  # noqa: S311 - so that clients do not come back at once
        raise RaceError(f"{method} {path} was not answered in {_TRIES} attempts: {said}")


async def _at_once(clients: int, requests: Iterable[Callable[[], Awaitable[httpx2.Response]]]) -> list[httpx2.Response]:
    """The answers in the order of the requests, so many of which are under way at any time."""
    answers: dict[int, httpx2.Response] = {}
    left = iter(enumerate(requests))

    async def client() -> None:
        for n, send in left:
            answers[n] = await send()

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(clients):
                group.create_task(client())
    except ExceptionGroup as errors:  # all fail for the same reason
        raise errors.exceptions[0] from None
    return [answers[n] for n in range(len(answers))]


def _may_be_better_later(answer: httpx2.Response) -> bool:
    busy = answer.status_code == 409 and answer.json().get("type") == "/problems/idempotency-key-in-use"
    return busy or answer.status_code == 429 or answer.status_code >= 500


def _said(answer: httpx2.Response) -> str:
    try:
        detail = str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        detail = answer.reason_phrase
    return f"{answer.status_code} {detail}"
