"""Reading a body as JSON."""

from typing import Any

from fastapi import Request

from app.errors.domain import UnsupportedMediaType
from app.rest.json_text import parse_json

JSON = frozenset({"application/json"})
MERGE_PATCH = frozenset({"application/merge-patch+json", "application/json"})  # RFC 7396


class JsonRequest(Request):
    """A request whose body has been read and parsed already, for the framework to take."""

    def __init__(self, request: Request, raw: bytes, document: Any) -> None:
        super().__init__(request.scope, request.receive)
        self._raw = raw
        self.document = document

    async def body(self) -> bytes:
        return self._raw

    async def json(self) -> Any:
        return self.document


async def read_json(request: Request, media_types: frozenset[str]) -> JsonRequest:
    """Read and parse the body.

    Raises UnsupportedMediaType, MalformedJson, InvalidInput (a name twice), and what the limits raise.
    """
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type not in media_types:
        raise UnsupportedMediaType(f"Send the body with Content-Type {' or '.join(sorted(media_types))}.")
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise UnsupportedMediaType("Send the body without Content-Encoding.")
    raw = await request.body()
    return JsonRequest(request, raw, parse_json(raw))
