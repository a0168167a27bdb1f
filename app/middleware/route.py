"""Which route a request took, for metrics and logs."""

from collections.abc import Mapping
from typing import Any

UNMATCHED = "__unmatched__"
_STREAM = "goods.stream"


def route_template(scope: Mapping[str, Any]) -> str:
    """The path template of the route, or `__unmatched__`; with `#stream` where the answer is one without an end.

    A route's own path is the whole template because routers are not nested: what `include_router` adds as a
    prefix would be missing here (FastAPI 0.137 and newer).
    """
    template: str = getattr(scope.get("route"), "path", UNMATCHED)
    return f"{template}#stream" if is_stream(scope) else template


def mark_as_stream(scope: Mapping[str, Any]) -> None:
    """Say, before the answer begins, that it will go on until somebody ends it: it is counted apart."""
    scope["state"][_STREAM] = True


def is_stream(scope: Mapping[str, Any]) -> bool:
    return _STREAM in scope["state"]
