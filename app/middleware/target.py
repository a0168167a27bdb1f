"""Small freedoms of the request target: a trailing slash is accepted, and HEAD is answered wherever GET is."""

from collections.abc import Mapping
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_METHOD_ASKED = "goods.method_asked"


def asks_for_head(scope: Mapping[str, Any]) -> bool:
    """Whether a request that is routed as GET is HEAD: for whoever would make a long answer in vain."""
    return scope.get(_METHOD_ASKED) == "HEAD"


class TargetMiddleware:
    """Nothing is redirected: `/goods/` is `/goods`. HEAD is routed as GET, and its answer has no body."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = scope["path"]
        if len(path) > 1 and path[-1] == "/":
            scope["path"] = path[:-1]
        if scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return

        routed = {**scope, "method": "GET", _METHOD_ASKED: "HEAD"}

        async def without_body(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            scope["route"] = routed.get("route")  # who counts the answer wants to know it now
            await send(message)

        try:
            await self.app(routed, receive, without_body)
        finally:
            scope["route"] = routed.get("route")
