"""Goods over HTTP. Handlers parse, call one service or query, and answer."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from app.goods.routers.answers import page_answer, read_answer, written_answer
from app.goods.routers.parameters import (
    GOODS_ID,
    CategoriesOf,
    ConditionsOf,
    GoodsId,
    OriginOf,
    Service,
    as_of,
    header_list,
    lists_of,
    origin_of,
    past_of,
    path_integer,
    path_sku,
    queries_of,
    service_of,
)
from app.goods.routers.retries import IDEMPOTENCY_KEY_HEADER, RetriesOf, retries_of
from app.goods.schemas.goods import CategoryPage, GoodsCreate, GoodsPage, GoodsPatch, GoodsRead, GoodsReplace
from app.goods.schemas.list import GoodsFilter, Limit
from app.rest.description import IDEMPOTENCY_KEY, JSON_BODY, parameter, problems
from app.rest.json_body import JsonRequest
from app.rest.routing import LeanBodyRoute, LeanListRoute, LeanRoute, StrictRoute

router = APIRouter(route_class=StrictRoute, tags=["goods"])
lean = APIRouter(route_class=LeanRoute, tags=["goods"])
lean_writes = APIRouter(route_class=LeanBodyRoute, tags=["goods"])
listing = APIRouter(route_class=LeanListRoute, tags=["goods"])

_OF_A_CHANGE = (
    *JSON_BODY, "goods-not-found", "sku-taken", "version-conflict", "precondition-failed", "precondition-required",
)  # fmt: skip
_ETAG = {"ETag": {"description": "Names this version of the good.", "schema": {"type": "string"}, "example": '"17-1"'}}
_ONE: dict[str, Any] = {"model": GoodsRead, "description": "The good.", "headers": _ETAG}
_LINK = {
    "Link": {
        "description": 'The next page, as rel="next"; not there on the last one.',
        "schema": {"type": "string"},
        "example": '</goods?after=WyI3ZjNhIiw1MF0>; rel="next"',
    }
}
_LOCATION = {"Location": {"description": "The good.", "schema": {"type": "string"}, "example": "/goods/17"}}
_NOT_MODIFIED: dict[int | str, dict[str, Any]] = {
    304: {"description": "The caller has this version.", "headers": _ETAG}
}


_SKU_SCHEMA = {"type": "string", "minLength": 1, "maxLength": 64, "examples": ["LAN-0012"]}


_AS_OF = parameter(
    "as_of",
    "query",
    {"type": "string", "format": "date-time", "examples": ["2026-11-23T09:30:00.000000Z"]},
    "The good as it was at this moment: 404 before it was created and after it was deleted.",
)
_IF_NONE_MATCH = parameter(
    "If-None-Match", "header", {"type": "string", "examples": ['"17-1"']}, "Answer 304 if the good still has this ETag."
)


@listing.get(
    "/goods",
    summary="List goods",
    response_class=Response,
    responses={200: {"model": GoodsPage, "description": "One page.", "headers": _LINK}, **problems(database=True)},
)
async def list_goods(request: Request, wanted: Annotated[GoodsFilter, Query()]) -> Response:
    """Page by page: `next` is the `after` of the next page, and every page costs the same."""
    page = await lists_of(request).page(wanted)
    return page_answer(request, page.documents, page.next, count=page.count)


@lean_writes.post(
    "/goods",
    status_code=201,
    summary="Create a good",
    response_class=Response,
    responses={
        201: {**_ONE, "headers": {**_ETAG, **_LOCATION}},
        **problems(*JSON_BODY, *IDEMPOTENCY_KEY, "sku-taken", database=True),
    },
    openapi_extra={"parameters": [IDEMPOTENCY_KEY_HEADER]},
)
async def create_goods(request: JsonRequest, body: GoodsCreate) -> Response:
    """Without `sku` the good is given one; without `stock` it has none."""
    service, origin, retries = service_of(request), origin_of(request), await retries_of(request)
    return await retries.once(
        lambda attempt: service.create(body, origin=origin, attempt=attempt),
        lambda good: written_answer(good, created=True),
    )


@lean.get(
    "/goods/by-sku/{sku:path}",  # noqa: FAST003 - a lean route takes the bare request
    summary="Read a good by its SKU",
    response_class=Response,
    responses={200: _ONE, **_NOT_MODIFIED, **problems("goods-not-found", "history-trimmed", database=True)},
    openapi_extra={
        "parameters": [
            parameter("sku", "path", _SKU_SCHEMA, "The SKU, case-sensitive; slashes in it are part of the path."),
            _AS_OF,
            _IF_NONE_MATCH,
        ]
    },
)
async def read_goods_by_sku(request: Request) -> Response:
    """The good that has exactly this SKU, now or at the moment `as_of`. A deleted good has none any more."""
    sku, moment = path_sku(request), as_of(request)
    good = await (queries_of(request).by_sku(sku) if moment is None else past_of(request).by_sku(sku, moment))
    return read_answer(good, header_list(request, b"if-none-match"))


@lean.get(
    "/goods/{goods_id}",  # noqa: FAST003 - a lean route takes the bare request
    summary="Read a good",
    response_class=Response,
    responses={200: _ONE, **_NOT_MODIFIED, **problems("goods-not-found", "history-trimmed", database=True)},
    openapi_extra={
        "parameters": [
            GOODS_ID,
            _AS_OF,
            _IF_NONE_MATCH,
        ]
    },
)
async def read_goods(request: Request) -> Response:
    """What was written before the request is seen, whichever instance wrote it; with `as_of`, what was there then."""
    goods_id, moment = path_integer(request, "goods_id"), as_of(request)
    good = await (queries_of(request).by_id(goods_id) if moment is None else past_of(request).by_id(goods_id, moment))
    return read_answer(good, header_list(request, b"if-none-match"))


@router.put(
    "/goods/{goods_id}",
    summary="Replace a good",
    response_class=Response,
    responses={200: _ONE, **problems(*_OF_A_CHANGE, database=True)},
)
async def replace_goods(
    goods_id: GoodsId, body: GoodsReplace, service: Service, conditions: ConditionsOf, origin: OriginOf
) -> Response:
    """Never creates. `sku` and `stock` stay when they are left out; other optional fields take their default."""
    good = await service.replace(goods_id, body, conditions=conditions, origin=origin)
    return written_answer(good)


@router.patch(
    "/goods/{goods_id}",
    summary="Change some fields of a good",
    response_class=Response,
    responses={200: _ONE, **problems(*_OF_A_CHANGE, *IDEMPOTENCY_KEY, database=True)},
)
async def patch_goods(  # noqa: PLR0917 - a parameter for each thing that the framework resolves
    goods_id: GoodsId,
    body: GoodsPatch,
    service: Service,
    conditions: ConditionsOf,
    origin: OriginOf,
    retries: RetriesOf,
) -> Response:
    """A JSON merge patch (RFC 7396). A patch without effect makes no new version."""
    return await retries.once(
        lambda attempt: service.patch(goods_id, body, conditions=conditions, origin=origin, attempt=attempt),
        written_answer,
    )


@router.delete(
    "/goods/{goods_id}",
    status_code=204,
    summary="Delete a good",
    response_class=Response,
    responses={
        204: {"description": "The good is deleted."},
        **problems("goods-not-found", "precondition-failed", "precondition-required", database=True),
    },
)
async def delete_goods(goods_id: GoodsId, service: Service, conditions: ConditionsOf, origin: OriginOf) -> Response:
    """Its SKU can be used again; its history stays."""
    await service.delete(goods_id, conditions=conditions, origin=origin)
    return Response(status_code=204)


@router.get(
    "/categories",
    summary="List the categories in use",
    response_class=Response,
    responses={200: {"model": CategoryPage, "description": "One page.", "headers": _LINK}, **problems(database=True)},
)
async def list_categories(
    request: Request,
    categories: CategoriesOf,
    limit: Annotated[Limit, Query(description="How many categories at most.")] = 50,
    after: Annotated[
        str | None, Query(description="The `next` of the page before.", examples=["WyI3ZjNhIiw1MF0"])
    ] = None,
) -> Response:
    """By name, with how many goods each has; goods without a category count under the empty name."""
    documents, token = await categories.page(after=after, limit=limit)
    return page_answer(request, documents, token)
