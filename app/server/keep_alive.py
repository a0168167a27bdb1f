"""How long a connection is kept for the next request."""

import asyncio
from collections.abc import Callable


class KeepAlive:
    """Calls `close` when nothing has been asked for `seconds` since an answer.

    One timer for a connection, which looks when it fires how long that has been, and goes on: to make and cancel one
    for each request takes a twentieth of a point read.
    """

    __slots__ = ("_close", "_idle_since", "_loop", "_seconds", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float, close: Callable[[], None]) -> None:
        self._loop = loop
        self._seconds = seconds
        self._close = close
        self._idle_since: float | None = None  # in the loop's time; None while a request is there
        self._timer: asyncio.TimerHandle | None = None

    def idle(self) -> None:
        """All requests are answered."""
        self._idle_since = self._loop.time()
        if self._timer is None:
            self._timer = self._loop.call_later(self._seconds, self._look)

    def busy(self) -> None:
        """Something has come."""
        self._idle_since = None

    def stop(self) -> None:
        """The connection is gone. Nothing holds on to it from here, or only the garbage collector would free it."""
        self._close = _nothing
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        self._timer = None
        if self._idle_since is None:
            return
        left = self._idle_since + self._seconds - self._loop.time()
        if left > 0:
            self._timer = self._loop.call_later(left, self._look)
        else:
            self._close()


def _nothing() -> None:
    pass
