"""Probes and metrics: for machines that watch the service."""

from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from app.rest.description import problems
from app.rest.routing import StrictRoute

router = APIRouter(route_class=StrictRoute, tags=["health"])
_SAMPLE = "# TYPE goods_created_total counter\ngoods_created_total 4271.0\n"


class Status(BaseModel):
    """What a probe is told when all is well."""

    status: Literal["ok"] = Field(description="Always `ok`: what is not well is a problem.")


_OK: dict[int | str, dict[str, Any]] = {200: {"model": Status, "description": "It is so."}}
_TEXT: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "All metrics of this instance.",
        "content": {
            "text/plain": {"schema": {"type": "string"}, "example": _SAMPLE},
            "application/openmetrics-text": {"schema": {"type": "string"}, "example": f"{_SAMPLE}# EOF\n"},
        },
    },
    **problems(),
}


@router.get("/livez", summary="Whether the process runs", response_class=Response, responses={**_OK, **problems()})
async def livez() -> Response:
    """Never touches the database: a restart of this process would not mend that."""
    return Response(b'{"status":"ok"}', media_type="application/json")


@router.get(
    "/readyz",
    summary="Whether it can serve",
    response_class=Response,
    responses={**_OK, **problems("not-ready", database=True)},
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
