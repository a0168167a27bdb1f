"""Probes and metrics: for machines that watch the service."""

from typing import Any

from fastapi import APIRouter, Request, Response

from app.rest.description import problems
from app.rest.routing import StrictRoute

router = APIRouter(route_class=StrictRoute, tags=["health"])
_TEXT: dict[int | str, dict[str, Any]] = {
    **problems(),
    200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
}


@router.get("/livez", summary="Whether the process runs", response_class=Response, responses=problems())
async def livez() -> Response:
    """Never touches the database: a restart of this process would not mend that."""
    return Response(b'{"status":"ok"}', media_type="application/json")


@router.get(
    "/readyz", summary="Whether it can serve", response_class=Response, responses=problems("not-ready", database=True)
)
async def readyz(request: Request) -> Response:
    """Asks the database, within a deadline. 503 also while the service shuts down."""
    await request.app.state.parts.readiness.check()
    return Response(b'{"status":"ok"}', media_type="application/json")


@router.get("/metrics", summary="Prometheus metrics", response_class=Response, responses=_TEXT)
async def metrics(request: Request) -> Response:
    """The Prometheus text format, or OpenMetrics when `Accept` asks for it. Never touches the database."""
    parts = request.app.state.parts
    parts.sample()
    body, content_type = parts.exposition.render(request.headers.get("accept", ""))
    return Response(body, headers={"Content-Type": content_type})
