"""The change feed over HTTP, as pages and as a stream, and the history of a good."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic_core import PydanticCustomError
from starlette.types import Send

from app.errors.domain import Fault, InvalidInput
from app.goods.queries.changes import Changes, Page
from app.goods.routers.answers import page_answer
from app.goods.routers.parameters import GoodsId
from app.goods.schemas.changes import ChangePage, Cursor, HistoryPage, cursor
from app.goods.schemas.list import Limit
from app.middleware.route import mark_as_stream
from app.middleware.target import asks_for_head
from app.rest.accept import prefers
from app.rest.description import problems
from app.rest.routing import StrictRoute

router = APIRouter(route_class=StrictRoute, tags=["changes"])

_EVENT_STREAM = "text/event-stream"
_EVENTS = 'id: 1042\ndata: {"position":1042,"goods_id":17,"sku":"LAN-0012","operation":"stock", ...}\n\n: \n\n'
_LINK = {"Link": {"description": 'What comes next, as rel="next".', "schema": {"type": "string"}}}
_FEED: dict[str, Any] = {
    "model": ChangePage,
    "description": "A page, or a stream of events.",
    "headers": _LINK,
    "content": {_EVENT_STREAM: {"schema": {"type": "string"}, "example": _EVENTS}},
}


async def _changes(request: Request) -> Changes:
    changes: Changes = request.app.state.parts.changes
    return changes


ChangesOf = Annotated[Changes, Depends(_changes)]


@router.get(
    "/changes",
    summary="Follow what changes",
    response_class=Response,
    responses={200: _FEED, **problems("cursor-gone", database=True)},
)
async def read_changes(  # noqa: PLR0917 - a parameter each
    request: Request,
    changes: ChangesOf,
    after: Annotated[
        Cursor | None,
        Query(description="The `next` of the page before. Left out: the beginning. `latest`: now, for what comes."),
    ] = None,
    limit: Annotated[Limit, Query(description="How many changes at most, on a page.")] = 50,
    last_event_id: Annotated[
        str | None, Header(description="Streams: the last `id` that was seen; goes before `after`.", examples=["1042"])
    ] = None,
    accept: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> Response:
    """Every change of every good once, in an order that never changes; those of one good by their version.

    With `Accept: text/event-stream` what there is comes as events, and then each change soon after it was made, until
    the client leaves or the service stops. An event's `id` is its cursor.
    """
    if not prefers(accept, _EVENT_STREAM, default="application/json"):
        return _page(await changes.page(after or 0, limit=limit))
    pieces = await changes.stream((after or 0) if last_event_id is None else _from_header(last_event_id))
    mark_as_stream(request.scope)
    if asks_for_head(request.scope):
        await pieces.aclose()
        return _Events(_no_events())
    return _Events(pieces)


def _from_header(text: str) -> int:
    try:
        return cursor(text)
    except PydanticCustomError as error:
        raise InvalidInput([Fault("header", "Last-Event-ID", error.message())]) from None


def _page(page: Page) -> Response:
    items = ",".join(document for _, document in page.entries)
    body = f'{{"items":[{items}],"next":"{page.next}","more":{"true" if page.more else "false"}}}'
    link = {"Link": f'</changes?after={page.next}>; rel="next"'}
    return Response(body, headers=link, media_type="application/json")


class _Events(StreamingResponse):
    """Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

    media_type = _EVENT_STREAM

    def __init__(self, pieces: AsyncGenerator[list[tuple[int, str]]]) -> None:
        # Neither a cache nor a proxy's buffer may stand between a change and who waits for it.
        super().__init__(_events(pieces), headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self._pieces = pieces

    async def stream_response(self, send: Send) -> None:
        async with aclosing(self._pieces):
            await super().stream_response(send)


async def _events(pieces: AsyncGenerator[list[tuple[int, str]]]) -> AsyncGenerator[bytes]:
    async for piece in pieces:
        # A comment, so that neither end and nothing between them takes the connection for dead.
        text = "".join(f"id: {position}\ndata: {document}\n\n" for position, document in piece) or ":\n\n"
        yield text.encode()


async def _no_events() -> AsyncGenerator[list[tuple[int, str]]]:
    return
    yield []


@router.get(
    "/goods/{goods_id}/history",
    summary="List what changed a good",
    response_class=Response,
    responses={
        200: {"model": HistoryPage, "description": "One page.", "headers": _LINK},
        **problems("goods-not-found", database=True),
    },
)
async def list_history(
    request: Request,
    goods_id: GoodsId,
    changes: ChangesOf,
    limit: Annotated[Limit, Query(description="How many changes at most.")] = 50,
    after: Annotated[
        str | None, Query(description="The `next` of the page before.", examples=["WyI3ZjNhIiw1MF0"])
    ] = None,
) -> Response:
    """Newest first, each with the good before and after it. It stays readable when the good is deleted."""
    documents, token = await changes.history(goods_id, after=after, limit=limit)
    return page_answer(request, documents, token)
