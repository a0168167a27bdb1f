"""Asks who may do what, before anything else happens to a request."""

from collections.abc import Callable, Mapping
from typing import Any

from starlette.routing import Match
from starlette.types import ASGIApp, Receive, Scope, Send

from app.errors.domain import GoodsApiError


class AccessMiddleware:
    """Lets a request through whose actor `actor_of` names, and raises what it raises for others."""

    def __init__(self, app: ASGIApp, *, actor_of: Callable[[Mapping[str, Any]], str]) -> None:
        self.app = app
        self._actor_of = actor_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            try:
                scope["state"]["context"].actor = self._actor_of(scope)
            except GoodsApiError:
                _name_route(scope)
                raise
        await self.app(scope, receive, send)


def _name_route(scope: Scope) -> None:
    """Find the route that the request would have taken, so that the metrics say what was refused."""
    for route in scope["app"].routes:
        match, _ = route.matches(scope)
        if match is Match.FULL:
            scope["route"] = route
            return
