"""A tiny application behind our face on uvicorn, in a thread of its own, and a client that speaks in bytes."""

import asyncio
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from app.server.body_fault import body_fault
from app.server.protocol import Answer, ProtocolLimits, Rejection, protocol_class
from app.server.server import DrainingServer, build_config

LIMITS = ProtocolLimits(header_timeout=0.4, linger_seconds=2)


class TinyApp:
    """Echoes on /echo, refuses on /refuse, waits for `gate` on /wait and for a disconnect on /watch."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.calls: list[str] = []
        self.disconnects = 0
        self.header: tuple[bytes, bytes] | None = None  # that answers have besides

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while (message := await receive())["type"] != "lifespan.shutdown":
                await send({"type": message["type"] + ".complete"})
            await send({"type": "lifespan.shutdown.complete"})
            return
        self.calls.append(scope["path"])
        act: Callable[..., Any] = getattr(self, scope["path"].strip("/"), self.plain)
        status, body = await act(scope, receive)
        headers = [(b"content-length", b"%d" % len(body)), *([self.header] if self.header else [])]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def plain(self, scope: Any, _: Any) -> tuple[int, bytes]:
        return 200, f"{scope['method']} {scope['path']}".encode()

    async def echo(self, scope: Any, receive: Any) -> tuple[int, bytes]:
        body = b""
        while True:
            message = await receive()
            if body_fault({**scope}) is not None:
                return 400, b"malformed body"
            body += message["body"]
            if not message["more_body"]:
                return 200, body + b"".join(b" %s" % name for name, _ in scope["headers"])

    async def refuse(self, _: Any, __: Any) -> tuple[int, bytes]:
        return 413, b"too large"

    async def wait(self, _: Any, __: Any) -> tuple[int, bytes]:
        await asyncio.to_thread(self.gate.wait, 10)
        return 200, b"waited"

    async def watch(self, _: Any, receive: Any) -> tuple[int, bytes]:
        while (await receive())["type"] != "http.disconnect":
            pass
        self.disconnects += 1
        return 200, b""


@dataclass
class Tiny:
    """A running server, and what it was told."""

    app: TinyApp
    server: DrainingServer
    port: int
    rejections: list[Rejection]

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def ask(self, *pieces: bytes) -> bytes:
        """Send, and read until the server closes."""
        reader, writer = await self.connect()
        try:
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            async with asyncio.timeout(5):
                return await reader.read()
        finally:
            writer.close()


@contextmanager
def tiny_server(limits: ProtocolLimits = LIMITS) -> Iterator[Tiny]:
    """Serve until the block ends. A rejected request that calls itself `faulty` meets a callback that fails."""
    app = TinyApp()
    ports: queue.Queue[int] = queue.Queue()
    rejections: list[Rejection] = []

    def reject(rejection: Rejection) -> Answer:
        if rejection.request_id == b"faulty":
            raise ZeroDivisionError
        rejections.append(rejection)
        return Answer(f"id-{len(rejections)}", rejection.detail.encode())

    protocol = protocol_class(limits, reject)
    config = build_config(app, protocol=protocol, host="127.0.0.1", port=0, keep_alive_timeout=1, shutdown_timeout=3)
    config.timeout_keep_alive = 0.5  # type: ignore[assignment]  # the timer takes it, and the tests are faster
    server = DrainingServer(config, on_drain=lambda: None, on_listening=lambda _, port: ports.put(port))
    thread = threading.Thread(target=server.run)
    thread.start()
    yield Tiny(app, server, ports.get(timeout=10), rejections)
    app.gate.set()
    server.leave()
    thread.join(10)
    assert not thread.is_alive()


@pytest.fixture(scope="module")
def tiny_running() -> Iterator[Tiny]:
    with tiny_server() as tiny:
        yield tiny


@pytest.fixture
def tiny(tiny_running: Tiny) -> Tiny:
    """The server, which has been told nothing yet."""
    tiny_running.rejections.clear()
    tiny_running.app.calls.clear()
    tiny_running.app.gate.clear()
    tiny_running.app.disconnects = 0
    tiny_running.app.header = None
    return tiny_running
