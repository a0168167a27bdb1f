"""What the handlers take from a request besides its body.

Dependencies are coroutines, though none waits for anything: the framework runs plain functions in threads, which takes
longer than all else that a request does here (a list of 100: 3 ms, and 0.5 without).
"""

import re
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Header, Path, Request
from pydantic import BeforeValidator, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from app.errors.domain import Fault, InvalidInput
from app.goods.queries.categories import Categories
from app.goods.queries.goods import GoodsQueries
from app.goods.queries.lists import GoodsLists
from app.goods.queries.past import PastGoods
from app.goods.schemas.fields import MOST_DIGITS, Sku, integer_text, moment
from app.goods.services.goods import GoodsService
from app.goods.services.origin import Origin
from app.rest.conditions import Conditions
from app.rest.description import parameter

GoodsId = Annotated[int, Path(description="The good's id.", examples=[17]), BeforeValidator(integer_text)]
_IF_MATCH = "Change the good only if this is its ETag."
_IF_NONE_MATCH = "Change the good only if this is not its ETag."
_TAGS = ['"17-1"']
IfMatch = Annotated[str | None, Header(description=_IF_MATCH, examples=_TAGS)]
IfNoneMatch = Annotated[str | None, Header(description=_IF_NONE_MATCH, examples=_TAGS)]
# The same for lean routes, whose OpenAPI parameters are written out.
GOODS_ID = parameter("goods_id", "path", {"type": "integer", "examples": [17]}, "The good's id.")
IF_MATCH = parameter("If-Match", "header", {"type": "string", "examples": _TAGS}, _IF_MATCH)
IF_NONE_MATCH = parameter("If-None-Match", "header", {"type": "string", "examples": _TAGS}, _IF_NONE_MATCH)

_LOST_PLUS = re.compile(r" (\d\d:\d\d)$", re.ASCII)
_SKU: TypeAdapter[str] = TypeAdapter(Sku)


def path_integer(request: Request, name: str) -> int:
    """An integer of the path, for lean routes. Raises InvalidInput."""
    text: str = request.path_params[name]
    if not (text.isascii() and text.removeprefix("-").isdigit()):
        raise InvalidInput([Fault("parameter", name, "must be an integer")])
    return int(text[:MOST_DIGITS])


def path_sku(request: Request) -> str:
    """The SKU of the path, for lean routes. Raises InvalidInput for what no SKU can be."""
    try:
        return _SKU.validate_python(request.path_params["sku"])
    except ValidationError as error:
        raise InvalidInput([Fault("parameter", "sku", error.errors()[0]["msg"])]) from None


def as_of(request: Request) -> datetime | None:
    """The moment that the query asks about, for lean routes. Raises InvalidInput."""
    if not request.scope["query_string"]:
        return None
    text = request.query_params.get("as_of")
    if text is None:
        return None
    try:
        # In a query a bare + is a space; nobody means that before an offset.
        return moment(_LOST_PLUS.sub(r"+\1", text))
    except PydanticCustomError as error:
        raise InvalidInput([Fault("parameter", "as_of", error.message())]) from None


def past_of(request: Request) -> PastGoods:
    past: PastGoods = request.app.state.parts.past_goods
    return past


def origin_of(request: Request) -> Origin:
    """Who asks, and in which request."""
    context = request.scope["state"]["context"]
    return Origin(context.actor, context.request_id)


async def _origin(request: Request) -> Origin:
    return origin_of(request)


async def _conditions(
    request: Request,
    goods_id: GoodsId,
    if_match: IfMatch = None,  # noqa: ARG001 - here for the documentation
    if_none_match: IfNoneMatch = None,  # noqa: ARG001 - here for the documentation
) -> Conditions:
    return conditions_of(request, goods_id)


def conditions_of(request: Request, goods_id: int) -> Conditions:
    """What the request demands of the good's version."""
    return Conditions.of(
        goods_id,
        if_match=header_list(request, b"if-match"),
        if_none_match=header_list(request, b"if-none-match"),
    )


def header_list(request: Request, name: bytes) -> str | None:
    """The value of a header that is a list: several lines of it are one (RFC 9110, section 5.3)."""
    lines = [value for header, value in request.scope["headers"] if header == name]
    return b", ".join(lines).decode("latin-1") if lines else None


def service_of(request: Request) -> GoodsService:
    service: GoodsService = request.app.state.parts.goods_service
    return service


async def _service(request: Request) -> GoodsService:
    return service_of(request)


def queries_of(request: Request) -> GoodsQueries:
    queries: GoodsQueries = request.app.state.parts.goods_queries
    return queries


def lists_of(request: Request) -> GoodsLists:
    lists: GoodsLists = request.app.state.parts.goods_lists
    return lists


async def _categories(request: Request) -> Categories:
    categories: Categories = request.app.state.parts.categories
    return categories


OriginOf = Annotated[Origin, Depends(_origin)]
ConditionsOf = Annotated[Conditions, Depends(_conditions)]
Service = Annotated[GoodsService, Depends(_service)]
CategoriesOf = Annotated[Categories, Depends(_categories)]
