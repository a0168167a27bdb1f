"""What happens around every request, as one ASGI layer.

A layer costs a coroutine, a closure around `send` and two calls of it: five of them took a third of a point read.
So those that only look on, or add headers, are steps of one layer.
"""

from collections.abc import Awaitable, Sequence
from time import perf_counter
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_STARTED = "goods.started"
_STATUS = "goods.status"


class Step:
    """Looks on while a request passes. What it has to remember is in the request's state."""

    def begin(self, scope: Scope) -> None:
        """Act before anything else has looked at the request."""

    def answer(self, scope: Scope, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Act when the head of the answer is about to be sent; `headers` may be added to."""

    def end(self, scope: Scope) -> None:
        """Act when the answer is complete, or will never be."""


class MiddlewareStack:
    """Runs the steps, in their order, around an application."""

    def __init__(self, app: ASGIApp, steps: Sequence[Step]) -> None:
        self.app = app
        self.steps = steps
        # Only where a step does something: to call a method that does nothing takes as long as to add a header.
        self._begin = [step.begin for step in steps if type(step).begin is not Step.begin]
        self._answer = [step.answer for step in steps if type(step).answer is not Step.answer]
        self._end = [step.end for step in steps if type(step).end is not Step.end]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        state: dict[str, Any] = scope.setdefault("state", {})
        state[_STARTED] = perf_counter()
        for begin in self._begin:
            begin(scope)

        def watched(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                status = state[_STATUS] = message["status"]
                headers = message.setdefault("headers", [])
                for answer in self._answer:
                    answer(scope, status, headers)
            return send(message)

        try:
            await self.app(scope, receive, watched)
        finally:
            for end in self._end:
                end(scope)


def seconds_since_start(scope: Scope) -> float:
    """How long ago the request's head was complete."""
    started: float = scope["state"][_STARTED]
    return perf_counter() - started


def status_of_answer(scope: Scope) -> int | None:
    """The status that was sent; None as long as there can be any answer."""
    status: int | None = scope["state"].get(_STATUS)
    return status
