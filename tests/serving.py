"""Serve an application the way `goods serve` does, in the test's own event loop, on a free port."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from app.application import Parts
from app.commands.serve import rejecter
from app.server.protocol import ProtocolLimits, protocol_class
from app.server.server import DrainingServer, build_config


class _QuietServer(DrainingServer):
    """Leaves the test runner's signal handlers alone."""

    async def serve(self, sockets: object = None) -> None:  # noqa: ARG002 - uvicorn's signature
        await self._serve(None)


@asynccontextmanager
async def serving(
    app: FastAPI, *, limits: ProtocolLimits | None = None, shutdown_timeout: float = 5
) -> AsyncIterator[str]:
    """Give the URL of the served application."""
    parts: Parts = app.state.parts
    listening: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    config = build_config(
        app,
        protocol=protocol_class(limits or ProtocolLimits(header_timeout=10), rejecter(parts)),
        host="127.0.0.1",
        port=0,
        keep_alive_timeout=75,
        shutdown_timeout=shutdown_timeout,
        trusted_proxies=parts.settings.trusted_proxies,
    )
    server = _QuietServer(
        config, on_drain=parts.lifecycle.drain, on_listening=lambda _, port: listening.set_result(port)
    )
    task = asyncio.create_task(server.serve())
    task.add_done_callback(lambda _: listening.done() or listening.cancel())
    await asyncio.wait([listening])
    if listening.cancelled():
        await task
    try:
        yield f"http://127.0.0.1:{listening.result()}"
    finally:
        server.leave()
        await task
