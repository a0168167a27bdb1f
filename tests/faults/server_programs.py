"""Small servers for test_server_processes.py to run as whole processes; no test is here, so that they load fast."""

import asyncio
import os
import sys
from typing import Any

import uvicorn

from app.server.protocol import Answer, ProtocolLimits, protocol_class
from app.server.server import DrainingServer, build_config
from app.server.workers import listening, serve_workers, worker_index


def _say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


async def _app(scope: Any, receive: Any, send: Any) -> None:
    """Says who it is; waits on /hang for what never comes."""
    if scope["type"] == "lifespan":
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": message["type"] + ".complete"})
        _say("lifespan-ended", os.getpid())
        await send({"type": "lifespan.shutdown.complete"})
        return
    if scope["path"] == "/hang":
        _say("hanging")
        await asyncio.Event().wait()
    body = f"{worker_index()} {os.getpid()} {os.environ.get('PROMETHEUS_MULTIPROC_DIR')}".encode()
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def make_server() -> uvicorn.Server:
    protocol = protocol_class(ProtocolLimits(header_timeout=1), lambda _: Answer("", b""))
    config = build_config(_app, protocol=protocol, host="127.0.0.1", port=0, keep_alive_timeout=1, shutdown_timeout=30)
    return DrainingServer(
        config,
        on_drain=lambda: _say("draining", os.getpid()),
        delay=float(os.environ["TEST_DELAY"]),
        on_listening=lambda host, port: _say("listening", host, port),
    )


def broken_server() -> uvicorn.Server:
    raise ZeroDivisionError


def one_process() -> None:
    make_server().run()
    _say("cleaned-up")


def two_workers(factory: str = "make_server") -> None:
    with listening("127.0.0.1", 0) as bound:
        serve_workers(f"{__name__}:{factory}", bound=bound, workers=2)
    _say("cleaned-up")
