"""uvicorn, set up for the service, with a shutdown in steps."""

import asyncio
from collections.abc import Callable
from socket import socket
from types import FrameType
from typing import Any

import uvicorn


def build_config(
    app: Any,
    *,
    protocol: type[asyncio.Protocol],
    host: str,
    port: int,
    keep_alive_timeout: float,
    shutdown_timeout: float,
    trusted_proxies: str | None = None,
) -> uvicorn.Config:
    """A configuration that leaves logs, ids and headers to the application. Times are in whole seconds, at least 1.

    From `trusted_proxies`, addresses and networks with commas, the client is whom X-Forwarded-For names.
    """
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        http=protocol,
        loop="uvloop",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=trusted_proxies is not None,
        forwarded_allow_ips=trusted_proxies or "",
        timeout_keep_alive=max(1, round(keep_alive_timeout)),
        timeout_graceful_shutdown=max(1, round(shutdown_timeout)),
        backlog=2048,
    )


class DrainingServer(uvicorn.Server):
    """Stops in steps: tell the application, serve on for `delay` seconds, finish what is under way, leave.

    A second signal skips the rest of the delay, a third leaves at once. After either the process goes on with its
    own cleaning up and ends with 0. `on_listening` is told the address when the application has started.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        *,
        on_drain: Callable[[], None],
        delay: float = 0.0,
        on_listening: Callable[[str, int], None] | None = None,
    ) -> None:
        super().__init__(config)
        self._on_drain = on_drain
        self._delay = delay
        self._on_listening = on_listening
        self._signals = 0
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        if self.started and self._on_listening is not None:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            self._on_listening(host, port)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's signature
        # uvicorn would keep the signal and raise it again after its own end, before we can clean up.
        if self._loop is None:
            self.should_exit = True
        else:
            # A handler runs between any two instructions, in the middle of a log line too: the work waits for its turn.
            self._loop.call_soon_threadsafe(self._step)

    def leave(self) -> None:
        """End the delay: close the port and finish what is under way."""
        self.should_exit = True

    def _step(self) -> None:
        self._signals += 1
        if self._signals == 1:
            self._drain()
            return
        self.leave()
        if self._signals > 2:
            self._force()

    def _drain(self) -> None:
        try:
            self._on_drain()
        finally:
            if self._delay and self.started:
                asyncio.get_running_loop().call_later(self._delay, self.leave)
            else:
                self.leave()

    def _force(self) -> None:
        self.force_exit = True
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        for task in self.server_state.tasks:
            task.cancel()
