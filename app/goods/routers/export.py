"""Goods as one file over HTTP, streamed: a page of goods is in memory, however many there are."""

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Send

from app.errors.domain import GoodsApiError
from app.goods.queries.export import GoodsExports, Part
from app.goods.schemas.export import FORMATS, GoodsExport
from app.middleware.target import asks_for_head
from app.rest.description import problems
from app.rest.routing import StrictRoute

router = APIRouter(route_class=StrictRoute, tags=["goods"])
log = logging.getLogger("goods.export")

_CSV_EXAMPLE = (
    "id,sku,name,description,category,price,stock,version,created_at,updated_at\r\n"
    "17,KT-INS114,Storm lantern,,lamps,24.90,12,3,2026-11-23T09:30:00.000000Z,2026-11-23T09:41:12.080512Z\r\n"
)
_NDJSON_EXAMPLE = (
    '{"id":17,"sku":"KT-INS114","name":"Storm lantern","description":"","category":"lamps","price":"24.90","stock":12,'
    '"version":3,"created_at":"2026-11-23T09:30:00.000000Z","updated_at":"2026-11-23T09:41:12.080512Z"}\n'
)
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "All goods that match, by rising id; with `q`, the best match first.",
        "content": {
            "text/csv": {"schema": {"type": "string"}, "example": _CSV_EXAMPLE},
            "application/x-ndjson": {"schema": {"type": "string"}, "example": _NDJSON_EXAMPLE},
        },
        "headers": {
            "Content-Disposition": {"description": "A name for the file.", "schema": {"type": "string"}},
            "Goods-Csv-Escape": {
                "description": "CSV only. `apostrophe`: cells that begin with = + - @ ' tab or CR have one in front.",
                "schema": {"type": "string", "enum": ["apostrophe"]},
            },
        },
    },
    **problems(database=True),
}


async def _exports(request: Request) -> GoodsExports:
    exports: GoodsExports = request.app.state.parts.goods_exports
    return exports


@router.get("/goods/export", summary="Export goods", response_class=Response, responses=_ANSWERS)
async def export_goods(
    request: Request, wanted: Annotated[GoodsExport, Query()], exports: Annotated[GoodsExports, Depends(_exports)]
) -> Response:
    """All goods as one file, without paging. Each good is as it was when it was read: not a snapshot of one moment.

    If the answer cannot be completed the connection breaks: a file is whole when the HTTP client has no complaint.
    """
    parts = exports.parts(wanted)
    first = await anext(parts)  # before the answer begins: what fails by now is still a problem of its own
    if asks_for_head(request.scope):
        await parts.aclose()
        return _File(_nothing(), wanted)
    return _File(_written(FORMATS[wanted.format].head + first.text, parts), wanted)


class _File(StreamingResponse):
    """A stream that never looks complete when it is not, and whose source is closed when the client leaves."""

    def __init__(self, content: AsyncGenerator[bytes], wanted: GoodsExport) -> None:
        headers = {"Content-Disposition": f'attachment; filename="goods.{wanted.format}"'}
        if wanted.format == "csv":
            headers["Goods-Csv-Escape"] = "apostrophe"
        super().__init__(content, headers=headers, media_type=FORMATS[wanted.format].media_type)
        self._content = content

    async def stream_response(self, send: Send) -> None:
        try:
            async with aclosing(self._content):
                await super().stream_response(send)
        except GoodsApiError as error:
            # Not raised: once an answer has begun the framework knows only faults of ours. Without its last message
            # the server breaks the connection off, and the client misses the end of the chunked body.
            log.error("an export broke off: %s", error.detail, extra={"event": "export.incomplete"})  # noqa: TRY400 - no fault of ours


async def _written(first: bytes, parts: AsyncGenerator[Part]) -> AsyncGenerator[bytes]:
    async with aclosing(parts):
        yield first
        async for part in parts:
            yield part.text


async def _nothing() -> AsyncGenerator[bytes]:
    return
    yield b""
