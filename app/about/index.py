"""`GET /`: what this is, and links to everything."""

import json
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from app import __version__
from app.rest.description import problems
from app.rest.routing import StrictRoute

router = APIRouter(route_class=StrictRoute, tags=["about"])

LINKS = {
    "goods": "/goods",
    "good": "/goods/{id}",
    "good_by_sku": "/goods/by-sku/{sku}",
    "stock_movements": "/goods/{id}/stock/movements",
    "history": "/goods/{id}/history",
    "changes": "/changes",
    "export": "/goods/export",
    "categories": "/categories",
    "imports": "/imports",
    "import": "/imports/{id}",
    "import_rows": "/imports/{id}/rows",
    "import_refused": "/imports/{id}/refused.csv",
    "docs": "/docs",
    "openapi": "/openapi.json",
    "problems": "/problems",
    "metrics": "/metrics",
    "livez": "/livez",
    "readyz": "/readyz",
}


class Index(BaseModel):
    """What the service says of itself."""

    service: str = Field(description="Its name.", examples=["goods-api"])
    version: str = Field(description="Its release.", examples=["1.0.0"])
    currency: str = Field(description="The currency of all prices (ISO 4217).", examples=["EUR"])
    links: dict[str, str] = Field(
        description="Where everything is, by name; braces stand for a value of yours.",
        examples=[{"goods": "/goods", "good": "/goods/{id}", "docs": "/docs"}],
    )


_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"model": Index, "description": "What this is."},
    **problems(),
}


@router.get("/", summary="What this is", response_class=Response, responses=_ANSWERS)
async def index(request: Request) -> Response:
    """The service's name and version, the currency of its prices, and links to everything."""
    settings = request.app.state.parts.settings
    closed = {"docs", "openapi"} if settings.docs == "off" else set()
    closed |= {"metrics"} if settings.metrics == "off" else set()
    body = {
        "service": "goods-api",
        "version": __version__,
        "currency": settings.currency,
        "links": {name: path for name, path in LINKS.items() if name not in closed},
    }
    return Response(json.dumps(body), media_type="application/json")
