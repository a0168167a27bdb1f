"""Whoever is told that a good was created finds it, over any connection, at once."""

import asyncio
import random
from collections import Counter
from time import perf_counter

import httpx2
import pytest

from tests.conftest import Service
from tests.proof.conftest import Report

pytestmark = pytest.mark.proof

_PAIRS = 2_000
_AT_A_TIME = 32


async def test_every_get_sees_the_good_whose_creation_was_acknowledged(service: Service, report: Report) -> None:
    outcomes: Counter[str] = Counter()
    left = iter(range(_PAIRS))

    async def one_client() -> None:
        # Two clients with connections of their own: what one is told, the other looks for.
        async with (
            httpx2.AsyncClient(base_url=service.url, timeout=30) as writer,
            httpx2.AsyncClient(base_url=service.url, timeout=30) as reader,
        ):
            for n in left:
                created = await writer.post("/goods", json={"sku": f"P{n}", "name": f"n{n}", "price": 1, "stock": n})
                assert created.status_code == 201
                path = random.choice([created.headers["location"], f"/goods/by-sku/P{n}"])
                found = await reader.get(path)
                seen = found.status_code == 200 and found.json() == created.json()
                outcomes["after a create, seen" if seen else "after a create, missed"] += 1
                changed = await writer.patch(created.headers["location"], json={"stock": n + 1})
                found = await reader.get(path)
                seen = found.status_code == 200 and found.json() == changed.json()
                outcomes["after a change, seen" if seen else "after a change, missed"] += 1

    started = perf_counter()
    await asyncio.gather(*(one_client() for _ in range(_AT_A_TIME)))
    seconds = perf_counter() - started
    report.write(
        "Reads see what was acknowledged",
        f"{_PAIRS:,} goods created and then changed, {_AT_A_TIME} at a time; each is looked for over another"
        " connection, by id or by SKU, as soon as the answer is there. Reads of that moment share queries.",
        ("outcome", "times"),
        [*sorted(outcomes.items()), ("seconds in all", f"{seconds:.1f}")],
    )
    assert outcomes == {"after a create, seen": _PAIRS, "after a change, seen": _PAIRS}
