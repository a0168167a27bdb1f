"""Which route a request took, for metrics and logs."""

from collections.abc import Mapping
from typing import Any

UNMATCHED = "__unmatched__"


def route_template(scope: Mapping[str, Any]) -> str:
    """The path template of the route, or `__unmatched__`.

    A route's own path is the whole template because routers are not nested: what `include_router` adds as a
    prefix would be missing here (FastAPI 0.137 and newer).
    """
    template: str = getattr(scope.get("route"), "path", UNMATCHED)
    return template
