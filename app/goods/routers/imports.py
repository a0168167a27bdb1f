"""Imports over HTTP: a file goes in, is planned, and then applied or undone when somebody asks for it."""

import hashlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import AfterValidator, BeforeValidator

from app.errors.domain import ImportNotFound, UnsupportedMediaType
from app.goods.imports.options import ImportOptions
from app.goods.queries.import_rows import ImportRow, ImportRows, Result
from app.goods.queries.imports import Imports
from app.goods.routers.answers import page_answer
from app.goods.routers.parameters import OriginOf
from app.goods.routers.retries import Retries, RetriesOf
from app.goods.schemas.fields import MAX_ID, integer_text
from app.goods.schemas.imports import ImportPage, ImportRead, ImportRowPage
from app.goods.schemas.list import Limit
from app.goods.services.imports.asking import ask_for
from app.goods.services.imports.uploading import begin_upload
from app.rest.description import IDEMPOTENCY_KEY, problems
from app.rest.routing import StrictRoute

router = APIRouter(route_class=StrictRoute, tags=["imports"])
_FORMATS = {"text/csv": "csv", "application/x-ndjson": "ndjson"}
_PIECE = 1 << 20  # bytes that are stored at a time


def _that_can_be(import_id: int) -> int:
    """An id that no import can have is one that is not there, not a mistake in its form."""
    if not 0 < import_id <= MAX_ID:
        raise ImportNotFound
    return import_id


ImportId = Annotated[
    int,
    Path(description="The import's id.", examples=[7]),
    BeforeValidator(integer_text),
    AfterValidator(_that_can_be),
]
After = Annotated[str | None, Query(description="The `next` of the page before.", examples=["WyI3ZjNhIiw1MF0"])]


async def _options(  # noqa: PLR0917 - an option each
    request: Request,
    mapping: Annotated[
        str | None,
        Query(
            alias="map",
            description="Which column is which field, as `sku=CODE,name=TITLE`. A field that is not named comes from"
            " the column of its own name.",
            examples=["sku=StockCode,name=Description,price=UnitPrice,stock=Quantity"],
        ),
    ] = None,
    constants: Annotated[
        str | None,
        Query(alias="set", description="Fields that are the same for every line.", examples=["category=retail"]),
    ] = None,
    delimiter: Annotated[
        str | None,
        Query(description="Between cells: one character, or comma, semicolon, tab or pipe.", examples=["semicolon"]),
    ] = None,
    encoding: Annotated[
        str | None, Query(description="The file's encoding, as Python names it.", examples=["cp1252"])
    ] = None,
    decimal: Annotated[str | None, Query(description="The decimal sign of prices: `.` or `,`.", examples=[","])] = None,
    escape: Annotated[
        Literal["none", "apostrophe"] | None,
        Query(description="`apostrophe`: take off what the export puts before cells that a spreadsheet would run."),
    ] = None,
) -> ImportOptions:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in _FORMATS:
        raise UnsupportedMediaType(f"Send the file with Content-Type {' or '.join(sorted(_FORMATS))}.")
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise UnsupportedMediaType("Send the file without Content-Encoding.")
    return ImportOptions.parse(
        form=_FORMATS[media_type],
        columns=[] if mapping is None else [mapping],
        constants=[] if constants is None else [constants],
        delimiter=delimiter,
        encoding=encoding,
        decimal=decimal,
        escape=escape,
    )


def _accepted(import_id: int) -> Callable[[str], Response]:
    headers = {"Location": f"/imports/{import_id}"}
    return lambda document: Response(document, 202, headers=headers, media_type="application/json")


async def _imports(request: Request) -> Imports:
    imports: Imports = request.app.state.parts.imports
    return imports


async def _rows(request: Request) -> ImportRows:
    rows: ImportRows = request.app.state.parts.import_rows
    return rows


ImportsOf = Annotated[Imports, Depends(_imports)]
RowsOf = Annotated[ImportRows, Depends(_rows)]
_ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {
        "model": ImportRead,
        "description": "The import; look at it again to see how it goes on.",
        "headers": {"Location": {"description": "The import.", "schema": {"type": "string"}, "example": "/imports/7"}},
    }
}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            media: {"schema": {"type": "string", "format": "binary"}, "example": example}
            for media, example in (
                ("text/csv", "sku,name,price\nLAN-0012,Storm lantern,24.90\n"),
                ("application/x-ndjson", '{"sku": "LAN-0012", "name": "Storm lantern", "price": "24.90"}\n'),
            )
        },
    }
}


@router.post(
    "/imports",
    status_code=202,
    summary="Upload a file to import",
    response_class=Response,
    responses={
        **_ACCEPTED,
        **problems(
            *IDEMPOTENCY_KEY, "malformed-request", "body-too-large", "unsupported-media-type", "request-timeout",
            database=True,
        ),
    },
    openapi_extra=_BODY,
)  # fmt: skip
async def upload_import(
    request: Request, options: Annotated[ImportOptions, Depends(_options)], origin: OriginOf, retries: RetriesOf
) -> Response:
    """The file is the body. It is planned next: what each line would do. Nothing is changed before it is applied."""
    parts = request.app.state.parts
    upload = await begin_upload(parts.database, options, origin)
    digest = hashlib.sha256(request.scope["query_string"] + b"\0")
    try:
        async for piece in _pieces(request):
            digest.update(piece)
            await upload.add(piece)
        attempt = retries.attempt and retries.attempt.with_digest(digest.digest())
        answer = await Retries(retries.idempotency, attempt).once(upload.finish, _accepted(upload.import_id))
    except BaseException:
        await upload.abandon()
        raise
    await upload.abandon()  # only where it was not finished, because it was a repetition
    parts.import_worker.wake()
    return answer


async def _pieces(request: Request) -> AsyncIterator[bytes]:
    gathered = bytearray()
    async for received in request.stream():
        gathered += received
        if len(gathered) >= _PIECE:
            yield bytes(gathered)
            gathered.clear()
    if gathered:
        yield bytes(gathered)


@router.get(
    "/imports",
    summary="List imports",
    response_class=Response,
    responses={200: {"model": ImportPage, "description": "One page."}, **problems(database=True)},
)
async def list_imports(
    request: Request,
    imports: ImportsOf,
    limit: Annotated[Limit, Query(description="How many imports at most.")] = 50,
    after: After = None,
) -> Response:
    """Newest first."""
    documents, token = await imports.page(after=after, limit=limit)
    return page_answer(request, documents, token)


@router.get(
    "/imports/{import_id}",
    summary="Read an import",
    response_class=Response,
    responses={200: {"model": ImportRead, "description": "The import."}, **problems("import-not-found", database=True)},
)
async def read_import(import_id: ImportId, imports: ImportsOf) -> Response:
    """Its state, its progress, and how many lines do what."""
    return Response(await imports.one(import_id), media_type="application/json")


@router.get(
    "/imports/{import_id}/rows",
    summary="List an import's lines",
    response_class=Response,
    responses={
        200: {"model": ImportRowPage, "description": "One page."},
        **problems("import-not-found", database=True),
    },
)
async def list_import_rows(  # noqa: PLR0917 - a parameter each
    request: Request,
    import_id: ImportId,
    rows: RowsOf,
    result: Annotated[
        Result | None,
        Query(description="Only lines with this result; `conflict`: those that stopped the last attempt."),
    ] = None,
    limit: Annotated[Limit, Query(description="How many lines at most.")] = 50,
    after: After = None,
) -> Response:
    """What each line changes, field by field, or why it is refused."""
    found, token = await rows.page(import_id, result=result, after=after, limit=limit)
    return page_answer(
        request, [json.dumps(_described(row), ensure_ascii=False, separators=(",", ":")) for row in found], token
    )


def _described(row: ImportRow) -> dict[str, Any]:
    changes = {
        name: {"before": _plain(before), "after": _plain(after)} for name, (before, after) in row.changes.items()
    }
    return {
        "line": row.line, "result": row.result, "sku": row.sku, "goods_id": row.goods_id, "changes": changes,
        "problem": row.problem,
    }  # fmt: skip


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, (str, int)) else f"{value:.2f}"


@router.get(
    "/imports/{import_id}/refused.csv",
    summary="Download an import's refused lines",
    response_class=Response,
    responses={
        200: {
            "description": "The refused lines as they came, under the file's own header.",
            "content": {
                "text/csv": {"schema": {"type": "string"}, "example": "sku,name,price\nLAN-0012,,24.90\n"},
                "application/x-ndjson": {"schema": {"type": "string"}, "example": '{"sku": "LAN-0012", "name": ""}\n'},
            },
        },
        **problems("import-not-found", database=True),
    },
)
async def download_refused(import_id: ImportId, imports: ImportsOf, rows: RowsOf) -> Response:
    """To be mended and imported: always UTF-8, otherwise in the file's own dialect."""
    options = json.loads(await imports.one(import_id))["options"]
    media_type = "text/csv" if options["format"] == "csv" else "application/x-ndjson"
    headers = {"Content-Disposition": f'attachment; filename="refused.{options["format"]}"'}
    return StreamingResponse(rows.refused(import_id), headers=headers, media_type=media_type)


def _step(name: Literal["apply", "undo"], summary: str, text: str) -> None:
    async def ask(import_id: ImportId, request: Request, origin: OriginOf, retries: RetriesOf) -> Response:
        parts = request.app.state.parts
        answer = await retries.once(
            lambda attempt: ask_for(parts.database, import_id, name, origin, attempt), _accepted(import_id)
        )
        parts.import_worker.wake()
        return answer

    ask.__name__ = f"{name}_import"
    router.post(
        f"/imports/{{import_id}}/{name}",
        status_code=202,
        summary=summary,
        description=text,
        response_class=Response,
        responses={
            **_ACCEPTED,
            **problems("import-not-found", "import-wrong-state", *IDEMPOTENCY_KEY, database=True),
        },
    )(ask)


_step(
    "apply",
    "Apply a planned import",
    "All of it, as one transaction. If a field that would be written is no longer what the plan found, nothing is"
    " written: the import is `planned` again, with the problem `import-drift`.",
)
_step(
    "undo",
    "Undo an applied import",
    "What it created goes, what it changed gets its values back, as one transaction. If a field is no longer what the"
    " import left there, nothing is written: the import stays `applied`, with the problem `import-drift`.",
)
