"""How many requests are worked on at once: the others wait for a moment, in a short queue, or are told to come back."""

import asyncio
from collections import deque

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors.domain import Overloaded
from app.metrics.http import HttpMetrics
from app.middleware.route import is_stream


class Admission:
    """The places of one process. Who has one is worked on; `most_waiting` others wait for up to `seconds`."""

    def __init__(self, most: int, *, most_waiting: int, seconds: float, metrics: HttpMetrics) -> None:
        self._free = most
        self._queue: deque[asyncio.Future[None]] = deque()
        self._most_waiting = most_waiting
        self._seconds = seconds
        self._metrics = metrics

    async def enter(self) -> None:
        """Take a place. Raises Overloaded when none becomes free in time, or too many wait already."""
        if not self.has_room():
            await self.wait()

    def has_room(self) -> bool:
        """Take a place if one is free, and say whether."""
        # Nobody waits while a place is free: who leaves gives theirs to the first of the queue.
        if self._free:
            self._free -= 1
            return True
        return False

    async def wait(self) -> None:
        """Take the next place that becomes free. Raises Overloaded as `enter` does."""
        if len(self._queue) >= self._most_waiting:
            self._refuse()
        turn = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        self._metrics.queued.inc()
        try:
            async with asyncio.timeout(self._seconds):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self.leave()  # the place came in the same moment as the end of the wait
            if isinstance(error, TimeoutError):
                self._refuse()
            raise
        finally:
            self._metrics.queued.dec()
            if turn in self._queue:
                self._queue.remove(turn)

    def leave(self) -> None:
        """Give the place to whoever waits longest."""
        while self._queue:
            turn = self._queue.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

    def _refuse(self) -> None:
        self._metrics.refused.inc()
        raise Overloaded("More requests are under way than this service takes at once.") from None


class AdmissionMiddleware:
    """Around a route: its request has a place while it is worked on.

    Not while its body is awaited: a client that sends slowly keeps nobody out. Not when its answer is a stream.
    """

    def __init__(self, app: ASGIApp, admission: Admission) -> None:
        self.app = app
        self._admission = admission

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        admission = self._admission
        await admission.enter()
        inside, complete = True, False

        async def receiving() -> Message:
            nonlocal inside, complete
            if complete:
                return await receive()  # for the client's leaving, beside the work
            inside = False
            admission.leave()
            message = await receive()
            complete = not message.get("more_body", False)
            await admission.enter()
            inside = True
            return message

        async def sending(message: Message) -> None:
            nonlocal inside
            if message["type"] == "http.response.start" and inside and is_stream(scope):
                inside = False
                admission.leave()
            await send(message)

        try:
            await self.app(scope, receiving, sending)
        finally:
            if inside:
                admission.leave()
