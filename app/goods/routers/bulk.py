"""Many goods in one request, over HTTP."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request, Response

from app.goods.routers.parameters import OriginOf
from app.goods.routers.retries import RetriesOf
from app.goods.schemas.bulk import BulkAnswer, BulkUpsert
from app.goods.services.bulk import BulkService
from app.rest.description import IDEMPOTENCY_KEY, JSON_BODY, problems
from app.rest.routing import StrictRoute

router = APIRouter(route_class=StrictRoute, tags=["goods"])


async def _service(request: Request) -> BulkService:
    service: BulkService = request.app.state.parts.bulk_service
    return service


@router.post(
    "/goods/bulk",
    summary="Create and change many goods",
    response_class=Response,
    responses={
        200: {"model": BulkAnswer, "description": "One result for each item, in their order."},
        **problems(*JSON_BODY, *IDEMPOTENCY_KEY, database=True),
    },
)
async def upsert_goods(
    body: BulkUpsert,
    service: Annotated[BulkService, Depends(_service)],
    origin: OriginOf,
    retries: RetriesOf,
    on_error: Annotated[
        Literal["abort", "skip"],
        Query(description="`abort`: one refused item and nothing is changed (422). `skip`: the others are taken."),
    ] = "abort",
) -> Response:
    """By SKU: goods that are not there are created, of the others the given fields are changed. One transaction."""
    return await retries.once(
        lambda attempt: service.upsert(body.items, on_error=on_error, origin=origin, attempt=attempt),
        lambda document: Response(document, media_type="application/json"),
    )
