"""A rollout, rehearsed with processes: new in, old out, under load, behind a balancer that only connects."""

import asyncio
from collections import Counter
from pathlib import Path

import httpx2
import pytest

from app.database.db import DatabaseAddress
from tests.commands.conftest import Program, Serving
from tests.conftest import until
from tests.deploy.balancer import Balancer
from tests.faults.database import GOOD, Database

pytestmark = pytest.mark.slow
_CLIENTS = 8
_REQUESTS = 1_200
_INSTANCES = 2


async def test_a_rollout_fails_no_request(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outcomes: Counter[int] = Counter()
    async with Database.running(tmp_path / "postgres") as database:
        program = _program(database)
        balancer = Balancer()
        try:
            old = [await _joined(program, balancer) for _ in range(_INSTANCES)]
            async with balancer.running() as url:
                await until(lambda: len(balancer.ready) == _INSTANCES)
                over = asyncio.Event()
                clients = [asyncio.create_task(_use(url, outcomes, over)) for _ in range(_CLIENTS)]
                new = []
                for number, leaving in enumerate(old, 1):
                    new.append(await _joined(program, balancer))
                    await until(lambda: new[-1].url in balancer.ready)
                    await _requests(outcomes, number * _REQUESTS // (_INSTANCES + 1), clients)
                    code, _, _ = await asyncio.to_thread(leaving.stop)
                    assert code == 0
                    balancer.remove(leaving.url)
                await _requests(outcomes, _REQUESTS, clients)
                assert sorted(balancer.ready) == sorted(instance.url for instance in new)
                over.set()
                await asyncio.gather(*clients)
        finally:
            program.end()
    with capsys.disabled():
        print(f"\nrollout: {outcomes.total()} requests, {dict(outcomes)}, none failed, none repeated")  # noqa: T201
    assert set(outcomes) == {200, 201}


def _program(database: Database) -> Program:
    address = DatabaseAddress.of(database.settings())
    # The delay is longer than the balancer's interval: it has seen that an instance leaves before the port closes.
    return Program(
        {
            "DB_HOST": address.host, "DB_PORT": str(address.port), "DB_USER": address.user, "DB_NAME": address.database,
            "LOG_LEVEL": "error", "SHUTDOWN_DELAY": "1", "DB_POOL_SIZE": "4",
        }
    )  # fmt: skip


async def _joined(program: Program, balancer: Balancer) -> Serving:
    instance = await asyncio.to_thread(program.serve)
    balancer.add(instance.url)
    return instance


async def _use(url: str, outcomes: Counter[int], over: asyncio.Event) -> None:
    """Create goods and read them over connections that are kept, without ever trying again."""
    async with httpx2.AsyncClient(base_url=url, timeout=20, verify=False) as client:
        while not over.is_set():
            answer = await client.post("/goods", json=GOOD)
            outcomes[answer.status_code] += 1
            outcomes[(await client.get(answer.headers["location"])).status_code] += 1


async def _requests(outcomes: Counter[int], number: int, clients: list["asyncio.Task[None]"]) -> None:
    """Wait for so many requests in all; a client that failed is told at once."""

    def reached() -> bool:
        for client in clients:
            if client.done():
                client.result()
        return outcomes.total() >= number

    await until(reached, seconds=120)
