"""Clients that send slowly, and bodies that are too large: whom they bother, and what they cost."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from time import perf_counter

import httpx2

from tests.conftest import Service, until
from tests.faults.database import Database, served

_HEAD = b"POST /goods HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
_SLOW_HEAD = b"GET /goods HTTP/1.1\r\nHost: x\r\nX-Slow: "
_SLOW_BODY = _HEAD + b'Content-Length: 500\r\n\r\n{"name":'
_PAGE = "/goods?limit=20"


@dataclass(frozen=True)
class Served:
    """Requests in a second without and with slow clients, and how many of these were cut off with which status."""

    alone: float
    beside: float
    cut_off: dict[int, int]


async def serve_beside_slow_clients(database: Database, *, heads: int, bodies: int, requests: int) -> Served:
    """Slow heads and bodies hang on while others are served; afterwards all of them have been told 408."""
    async with served(database.settings(HEADER_TIMEOUT=6, BODY_TIMEOUT=6)) as (service, client):
        for _ in range(20):
            assert (await client.post("/goods", json={"name": "a", "price": "1"})).status_code == 201
        alone = await _rate(client, requests)
        slow = [asyncio.create_task(_slow(service, _SLOW_HEAD)) for _ in range(heads)]
        slow += [asyncio.create_task(_slow(service, _SLOW_BODY)) for _ in range(bodies)]
        in_progress = service.parts.exposition.registry.get_sample_value
        await until(lambda: in_progress("http_requests_in_progress", {"method": "POST"}) == bodies)
        beside = await _rate(client, requests)
        statuses = await asyncio.gather(*slow)
    return Served(alone, beside, {status: statuses.count(status) for status in set(statuses)})


async def _rate(client: httpx2.AsyncClient, requests: int) -> float:
    began = perf_counter()

    async def ask(times: int) -> None:
        for _ in range(times):
            assert (await client.get(_PAGE)).status_code == 200

    await asyncio.gather(*(ask(requests // 8) for _ in range(8)))
    return requests / (perf_counter() - began)


async def _slow(service: Service, sent: bytes) -> int:
    """Send it and no more; the status that comes in the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
    writer.write(sent)
    status = await reader.readline()
    writer.close()
    return int(status.split()[1])


async def send_too_much(service: Service, *, bodies: int, size: int, chunked: bool) -> dict[int, int]:
    """So many bodies of so many bytes to a path that takes less; how often which status was answered."""
    piece = b" " * 65_536
    framing = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % size

    async def send() -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
        writer.write(_HEAD + framing + b"\r\n\r\n")
        answer = asyncio.create_task(reader.readline())
        for _ in range(size // len(piece)):
            if answer.done():
                break
            writer.write(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
            with suppress(ConnectionError):  # the service has had enough of it; its answer came before
                await writer.drain()
            await asyncio.sleep(0)  # as every client that also looks for an answer while it sends
        status = int((await answer).split()[1])
        writer.close()
        return status

    statuses = []
    for _ in range(0, bodies, 10):
        statuses += await asyncio.gather(*(send() for _ in range(10)))
    return {status: statuses.count(status) for status in set(statuses)}
