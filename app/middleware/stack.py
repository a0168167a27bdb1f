"""What happens around every request, as one ASGI layer.

A layer costs a coroutine, a closure around `send` and two calls of it: five of them took a third of a point read.
So those that only look on, or add headers, are steps of one layer.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from time import perf_counter, time
from typing import Any, TypeAlias

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.middleware.route import route_template

_STARTED = "goods.started"
_STATUS = "goods.status"
_ANSWERED = "goods.answered"
_ENDED = "goods.ended"

# A request that is over: its scope, its route's template, the status (None if there was no answer), the seconds from
# its complete head to the beginning of its answer and to its end, and when that was, in seconds since the epoch.
Ended: TypeAlias = tuple[Scope, str, int | None, float, float, float]


class Step:
    """Looks on while a request passes. What it has to remember is in the request's state."""

    def begin(self, scope: Scope) -> None:
        """Act before anything else has looked at the request."""

    def answer(self, scope: Scope, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Act when the head of the answer is about to be sent; `headers` may be added to."""

    def ended(self, requests: Sequence[Ended]) -> None:
        """Act on requests whose answers are complete, or will never be.

        Those of one turn of the event loop come together, at its end: a busy turn ends a dozen, and what is done for
        one after the other takes half the time of what is done in between of other things.
        """


class MiddlewareStack:
    """Runs the steps, in their order, around an application."""

    def __init__(self, app: ASGIApp, steps: Sequence[Step]) -> None:
        self.app = app
        self.steps = steps
        # Only where a step does something: to call a method that does nothing takes as long as to add a header.
        self._begin = [step.begin for step in steps if type(step).begin is not Step.begin]
        self._answer = [step.answer for step in steps if type(step).answer is not Step.answer]
        self._ended = [step.ended for step in steps if type(step).ended is not Step.ended]
        self._ending: list[Scope] = []

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
                state[_ANSWERED] = perf_counter()
                headers = message.setdefault("headers", [])
                for answer in self._answer:
                    answer(scope, status, headers)
            return send(message)

        try:
            await self.app(scope, receive, watched)
        finally:
            state[_ENDED] = perf_counter()
            if not self._ending:
                asyncio.get_running_loop().call_soon(self._end)
            self._ending.append(scope)

    def _end(self) -> None:
        scopes, self._ending = self._ending, []
        epoch = time() - perf_counter()
        requests: list[Ended] = []
        for scope in scopes:
            state = scope["state"]
            started, ended = state[_STARTED], state[_ENDED]
            to_answer = state.get(_ANSWERED, ended) - started
            requests.append(
                (scope, route_template(scope), state.get(_STATUS), to_answer, ended - started, epoch + ended)
            )
        for tell in self._ended:
            tell(requests)


def status_of_answer(scope: Scope) -> int | None:
    """The status that was sent; None as long as there can be any answer."""
    status: int | None = scope["state"].get(_STATUS)
    return status


def seconds_to_answer(scope: Scope) -> float:
    """From the moment that the request's head was complete to the beginning of its answer, which has begun."""
    state = scope["state"]
    seconds: float = state[_ANSWERED] - state[_STARTED]
    return seconds
