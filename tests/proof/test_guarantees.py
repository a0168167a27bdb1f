"""What happens when things break, in full: the suite has short forms of all of it."""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from time import perf_counter

import httpx2
import pytest

from app.database.db import DatabaseAddress
from tests.commands.conftest import Program
from tests.conftest import Service
from tests.faults.database import GOOD, NEED_DATABASE, Database, assert_serves, is_ready, served, timed
from tests.faults.handover import hand_over
from tests.faults.slow_clients import send_too_much, serve_beside_slow_clients
from tests.faults.test_database_down import stop_and_start
from tests.faults.test_database_slow import leave_in_the_middle
from tests.proof.conftest import Report
from tests.proof.test_million_import import Memory

pytestmark = pytest.mark.proof

_MIB = 1 << 20


@pytest.fixture(scope="module")
async def database(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Database]:
    async with Database.running(tmp_path_factory.mktemp("goods")) as made:
        yield made


async def test_a_database_that_is_down(database: Database, report: Report) -> None:
    requests = 1_000
    await stop_and_start(database, requests_afterwards=requests)
    report.write(
        "A database that is down",
        "Everything that needs it was answered 503 with `Retry-After` within 2 s, everything else as ever; within 5 s"
        " of its return the service was ready, and then nothing failed.",
        ("requests afterwards", "failed"),
        [(f"{requests:,}", 0)],
    )


async def test_a_database_that_hangs(database: Database, report: Report) -> None:
    """Half-open connections: the sockets are there, and nobody answers."""
    settings = database.settings()
    promised = settings.statement_timeout + 1.0 + 1.0  # our deadline is a second above the server's own
    async with served(settings) as (_, client):
        await assert_serves(client, 100)
        await database.freeze()
        try:
            asked = [client.request(method, path, json=body) for method, path, body in NEED_DATABASE * 8]
            answers = await asyncio.gather(*map(timed, asked))
            assert (await client.get("/livez")).status_code == 200
        finally:
            database.thaw()
        began = perf_counter()
        while not await is_ready(client):
            assert perf_counter() - began < 5
        back = perf_counter() - began
        await assert_serves(client, 1_000)
    assert {answer.status_code for answer, _ in answers} == {503}
    longest = max(seconds for _, seconds in answers)
    assert longest < promised
    report.write(
        "A database that hangs",
        f"All of its processes were stopped. Each request was answered 503 within its deadline and a second"
        f" ({promised:g} s here); afterwards 1,000 requests, none failed.",
        ("requests", "longest answer, seconds", "ready again after, seconds"),
        [(len(answers), f"{longest:.2f}", f"{back:.2f}")],
    )


async def test_clients_that_leave(database: Database, report: Report) -> None:
    clients = 2_000
    await leave_in_the_middle(database, clients=clients)
    report.write(
        "Clients that leave in the middle",
        "Some while their body is on its way, some while their statement runs. Within 5 s the pool was whole, no"
        " transaction was left open, stock was the ledger, and 100 requests were served without an error.",
        ("clients", "connections lost", "idle in transaction"),
        [(f"{clients:,}", 0, 0)],
    )


async def test_slow_clients(database: Database, report: Report) -> None:
    found = await serve_beside_slow_clients(database, heads=200, bodies=200, requests=1_600)
    assert found.cut_off == {408: 400}
    report.write(
        "Slow clients",
        "200 clients whose head does not end and 200 whose body does not, while others read lists. All of the slow ones"
        " were answered 408 in the end.",
        ("lists in a second alone", "beside 400 slow clients", "ratio"),
        [(f"{found.alone:.0f}", f"{found.beside:.0f}", f"{found.beside / found.alone:.2f}")],
    )


async def test_bodies_that_are_too_large_and_a_pool_that_is_empty(database: Database, report: Report) -> None:
    """In a process of its own, whose memory can be weighed."""
    address = DatabaseAddress.of(database.settings())
    settings = {
        "DB_HOST": address.host, "DB_PORT": str(address.port), "DB_USER": address.user, "DB_NAME": address.database,
        "DB_POOL_SIZE": "2", "CONNECT_TIMEOUT": "0.5", "LOG_LEVEL": "error",
    }  # fmt: skip
    program = Program(settings)
    serving = program.serve(stdout=subprocess.DEVNULL)
    try:
        await serving.ready()
        memory = Memory(serving.process.pid)
        service = _Elsewhere(serving.url)
        async with httpx2.AsyncClient(base_url=serving.url, timeout=30, verify=False) as client:
            await assert_serves(client, 400)
            await asyncio.sleep(0.2)  # the memory is looked at every 50 ms
            before, _ = memory.most()
            announced = await send_too_much(service, bodies=200, size=50 * _MIB, chunked=False)
            chunked = await send_too_much(service, bodies=200, size=50 * _MIB, chunked=True)
            async with database.session() as session, session.transaction():
                await session.execute("LOCK TABLE goods IN ACCESS EXCLUSIVE MODE")
                answers = await asyncio.gather(*(timed(client.post("/goods", json=GOOD)) for _ in range(500)))
                others = [
                    (await client.request(method, path)).status_code
                    for method, path in (("GET", "/nothing"), ("PUT", "/goods"), ("GET", "/livez"), ("GET", "/readyz"))
                ]
                unknown = await client.get("/goods", headers={"X-API-Key": "unknown"})
            after, _ = memory.most()
        memory.end()
    finally:
        program.end()
    assert (announced, chunked) == ({413: 200}, {413: 200})
    assert {answer.status_code for answer, _ in answers} <= {201, 503}
    assert (others, unknown.status_code) == ([404, 405, 200, 200], 401)
    longest = max(seconds for _, seconds in answers)
    grown = (after - before) / _MIB
    assert grown < 60
    report.write(
        "Too large, and too many",
        "200 bodies of 50 MiB with a length and 200 in chunks, to a path that takes 2 MiB: all 413. Then 500 creations"
        " at once while the table was locked and the pool had two connections: all 503 but those that had one, and 404,"
        " 405, 401 and the probes were answered meanwhile.",
        ("longest wait, seconds", "most memory before, MiB", "most memory after, MiB"),
        [(f"{longest:.2f}", f"{before / _MIB:.0f}", f"{after / _MIB:.0f}")],
    )


class _Elsewhere(Service):
    """A service in another process: only where it is."""

    def __init__(self, url: str) -> None:
        self.url = url


async def test_hand_overs(tmp_path: Path, report: Report) -> None:
    times, requests = 10, 10_000
    outcomes = await hand_over(tmp_path, times=times, requests=requests)
    assert set(outcomes) == {200, 201}
    assert outcomes.total() >= requests
    report.write(
        "Hand-overs",
        "A new process takes over the socket from the old one, which is ended with SIGTERM and finishes what it has,"
        " again and again, while 8 clients that repeat nothing create and read. Each old process ended with 0.",
        ("hand-overs", "requests", "failed"),
        [(times, f"{outcomes.total():,}", 0)],
    )
