"""Stock over HTTP: movements one by one, in baskets, and the ledger that they make."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from app.goods.queries.movements import Movements
from app.goods.routers.answers import page_answer
from app.goods.routers.parameters import (
    GOODS_ID,
    IF_MATCH,
    IF_NONE_MATCH,
    GoodsId,
    OriginOf,
    conditions_of,
    origin_of,
    path_integer,
)
from app.goods.routers.retries import IDEMPOTENCY_KEY_HEADER, RetriesOf, retries_of
from app.goods.schemas.list import Limit
from app.goods.schemas.stock import Basket, BasketMoved, MovementPage, MovementRead, Reason, StockMove
from app.goods.services.stock import StockService
from app.goods.services.written import Written
from app.rest.conditions import etag
from app.rest.description import IDEMPOTENCY_KEY, JSON_BODY, problems
from app.rest.json_body import JsonRequest
from app.rest.routing import LeanBodyRoute, StrictRoute

router = APIRouter(route_class=StrictRoute, tags=["stock"])
lean = APIRouter(route_class=LeanBodyRoute, tags=["stock"])

_OF_A_MOVE = (*JSON_BODY, *IDEMPOTENCY_KEY, "goods-not-found", "stock-too-low", "stock-too-high")
_MOVED: dict[str, Any] = {
    "model": MovementRead,
    "description": "The movement.",
    "headers": {"ETag": {"description": "Names the good's new version.", "schema": {"type": "string"}}},
}
_LINK = {"Link": {"description": 'The next page, as rel="next".', "schema": {"type": "string"}}}


def _service_of(request: Request) -> StockService:
    service: StockService = request.app.state.parts.stock_service
    return service


async def _service(request: Request) -> StockService:
    return _service_of(request)


async def _movements(request: Request) -> Movements:
    movements: Movements = request.app.state.parts.movements
    return movements


Service = Annotated[StockService, Depends(_service)]


@lean.post(
    "/goods/{goods_id}/stock",  # noqa: FAST003 - a lean route takes the bare request
    status_code=201,
    summary="Move stock of a good",
    response_class=Response,
    responses={201: _MOVED, **problems(*_OF_A_MOVE, "precondition-failed", database=True)},
    openapi_extra={"parameters": [GOODS_ID, IF_MATCH, IF_NONE_MATCH, IDEMPOTENCY_KEY_HEADER]},
)
async def move_stock(request: JsonRequest, body: StockMove) -> Response:
    """Pieces come or go; stock never falls below 0. Unlike PATCH it needs no knowledge of how many there are."""
    goods_id = path_integer(request, "goods_id")
    service, conditions, origin = _service_of(request), conditions_of(request, goods_id), origin_of(request)
    retries = await retries_of(request)
    return await retries.once(
        lambda attempt: service.move(goods_id, body, conditions=conditions, origin=origin, attempt=attempt),
        _moved,
    )


def _moved(movement: Written) -> Response:
    headers = {"ETag": etag(movement.id, movement.version)}
    return Response(movement.document, 201, headers=headers, media_type="application/json")


@router.post(
    "/stock",
    status_code=201,
    summary="Move stock of several goods",
    response_class=Response,
    responses={
        201: {"model": BasketMoved, "description": "One movement for each line, in their order."},
        **problems(*_OF_A_MOVE, database=True),
    },
)
async def move_basket(basket: Basket, service: Service, origin: OriginOf, retries: RetriesOf) -> Response:
    """All lines or none. `errors` names the lines that are to blame when it is none."""
    return await retries.once(
        lambda attempt: service.move_all(basket, origin=origin, attempt=attempt),
        lambda document: Response(document, 201, media_type="application/json"),
    )


@router.get(
    "/goods/{goods_id}/stock/movements",
    summary="List a good's stock movements",
    response_class=Response,
    responses={
        200: {"model": MovementPage, "description": "One page.", "headers": _LINK},
        **problems("goods-not-found", database=True),
    },
)
async def list_movements(  # noqa: PLR0917 - a parameter each
    request: Request,
    goods_id: GoodsId,
    movements: Annotated[Movements, Depends(_movements)],
    reason: Annotated[Reason | None, Query(description="Only movements for this reason.")] = None,
    limit: Annotated[Limit, Query(description="How many movements at most.")] = 50,
    after: Annotated[
        str | None, Query(description="The `next` of the page before.", examples=["WyI3ZjNhIiw1MF0"])
    ] = None,
) -> Response:
    """Newest first. They stay readable when the good is deleted, and their deltas add up to its stock."""
    documents, token = await movements.page(goods_id, reason=reason, after=after, limit=limit)
    return page_answer(request, documents, token)
