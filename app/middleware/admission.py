"""How many requests are worked on at once: the others wait for a moment, in a short queue, or are told to come back."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors.domain import Overloaded
from app.metrics.http import HttpMetrics
from app.middleware.route import is_stream


class Admission:
    """The places of one process. Who has one is worked on; `most_waiting` others wait for up to `seconds`."""

    def __init__(self, most: int, *, most_waiting: int, seconds: float, metrics: HttpMetrics) -> None:
        self._places = asyncio.Semaphore(most)
        self._waiting = 0
        self._most_waiting = most_waiting
        self._seconds = seconds
        self._metrics = metrics

    async def enter(self) -> None:
        """Take a place. Raises Overloaded when none becomes free in time, or too many wait already."""
        if not self._places.locked():
            await self._places.acquire()
            return
        if self._waiting >= self._most_waiting:
            self._refuse()
        self._waiting += 1
        self._metrics.queued.inc()
        try:
            async with asyncio.timeout(self._seconds):
                await self._places.acquire()
        except TimeoutError:
            self._refuse()
        finally:
            self._waiting -= 1
            self._metrics.queued.dec()

    def leave(self) -> None:
        self._places.release()

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


class LeanAdmissionMiddleware:
    """The same around a route that reads no body and whose answer is no stream: it has its place all the while."""

    def __init__(self, app: ASGIApp, admission: Admission) -> None:
        self.app = app
        self._admission = admission

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._admission.enter()
        try:
            await self.app(scope, receive, send)
        finally:
            self._admission.leave()
