"""Asks who may do what, and how often, before anything else happens to a request."""

from collections.abc import Callable, Mapping
from typing import Any

from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors.domain import GoodsApiError
from app.logs.context import ANONYMOUS
from app.middleware.rate_limit import RateLimiter, address_of


class AccessMiddleware:
    """Lets a request through whose actor `actor_of` names, and raises what it raises for others.

    With `rate`, each actor's requests are counted, and by their address those of whoever has no key or a bad one; what
    is `exempt` by its path is not.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        actor_of: Callable[[Mapping[str, Any]], str],
        rate: RateLimiter | None,
        exempt: Callable[[str], bool],
    ) -> None:
        self.app = app
        self._actor_of = actor_of
        self._rate = rate
        self._exempt = exempt

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            actor = scope["state"]["context"].actor = self._actor_of(scope)
        except GoodsApiError:
            _name_route(scope)
            if self._rate is not None:
                await self._rate.spend(address_of(scope))
            raise
        if self._rate is not None and not self._exempt(scope["path"]):
            send = await self._counted(self._rate, scope, actor, send)
        await self.app(scope, receive, send)

    @staticmethod
    async def _counted(rate: RateLimiter, scope: Scope, actor: str, send: Send) -> Send:
        """Count the request, and give what adds to its answer what is left."""
        try:
            headers = await rate.spend(address_of(scope) if actor == ANONYMOUS else f"key:{actor}")
        except GoodsApiError:
            _name_route(scope)
            raise

        async def telling(message: Message) -> None:
            if message["type"] == "http.response.start":
                message.setdefault("headers", []).extend(headers)
            await send(message)

        return telling


def _name_route(scope: Scope) -> None:
    """Find the route that the request would have taken, so that the metrics say what was refused."""
    for route in scope["app"].routes:
        match, _ = route.matches(scope)
        if match is Match.FULL:
            scope["route"] = route
            return
