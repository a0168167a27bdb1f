"""A small load balancer, as a cluster's Service is one: it passes connections on to instances that say they are ready.

It repeats nothing and looks into nothing: what an instance drops, the client sees.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import count

import httpx2

_EVERY = 0.1  # seconds between two looks at /readyz


class Balancer:
    """New connections go to the ready instances in turn."""

    def __init__(self) -> None:
        self._instances: list[str] = []
        self.ready: list[str] = []
        self._turn = count()

    def add(self, url: str) -> None:
        self._instances.append(url)

    def remove(self, url: str) -> None:
        self._instances.remove(url)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        """Give the address that clients use."""
        server = await asyncio.start_server(self._pass_on, "127.0.0.1", 0)
        watching = asyncio.create_task(self._watch())
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            watching.cancel()
            server.close()

    async def _watch(self) -> None:
        async with httpx2.AsyncClient(timeout=2, verify=False) as client:
            while True:
                self.ready = [url for url in self._instances if await _is_ready(client, url)]
                await asyncio.sleep(_EVERY)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ready = self.ready
        chosen = ready[next(self._turn) % len(ready)]
        inward, outward = await asyncio.open_connection("127.0.0.1", int(chosen.rpartition(":")[2]))
        try:
            await asyncio.gather(_pump(reader, outward), _pump(inward, writer))
        finally:
            outward.close()
            writer.close()


async def _is_ready(client: httpx2.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(f"{url}/readyz")).status_code == 200
    except httpx2.TransportError:
        return False


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Pass on what comes, and its end, until there is no more: the other direction may go on."""
    with suppress(ConnectionError):
        while data := await source.read(65_536):
            sink.write(data)
            await sink.drain()
        sink.write_eof()
