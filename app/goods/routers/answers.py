"""How goods are answered: the JSON text that the database made, untouched."""

from collections.abc import Iterable, Sequence
from typing import Protocol
from urllib.parse import urlencode

from fastapi import Request, Response

from app.rest.conditions import etag, none_match


class Stored(Protocol):
    """A good as queries and services give it."""

    @property
    def id(self) -> int: ...
    @property
    def version(self) -> int: ...
    @property
    def document(self) -> str: ...


class JsonText(Response):
    """200 with a JSON text as it is; its headers are made without the look-ups that Response makes."""

    media_type = "application/json"

    def __init__(self, text: str, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
        self.status_code = 200
        self.background = None
        self.body = text.encode()
        length = b"%d" % len(self.body)
        self.raw_headers = [(b"content-type", b"application/json"), (b"content-length", length), *headers]


def read_answer(good: Stored, if_none_match: str | None) -> Response:
    """200 with the good, or 304 when the caller has it already (RFC 9110, section 13.1.2)."""
    tag = etag(good.id, good.version)
    if if_none_match is not None and none_match(if_none_match, tag):
        return Response(status_code=304, headers={"ETag": tag})
    return JsonText(good.document, [(b"etag", tag.encode())])


def written_answer(good: Stored, *, created: bool = False) -> Response:
    """200 with the good after a change; 201 with its address when it is new."""
    headers = {"ETag": etag(good.id, good.version)}
    if created:
        headers["Location"] = f"/goods/{good.id}"
    return Response(good.document, 201 if created else 200, headers=headers, media_type="application/json")


def page_answer(
    request: Request, documents: Sequence[str], next_token: str | None, *, count: int | bool | None = False
) -> Response:
    """One page of a collection. `count` False: this collection has no count at all."""
    token = "null" if next_token is None else f'"{next_token}"'
    counted = "" if count is False else f',"count":{"null" if count is None else count}'
    body = f'{{"items":[{",".join(documents)}],"next":{token}{counted}}}'
    return JsonText(body, [] if next_token is None else [(b"link", _next_link(request, next_token).encode())])


def _next_link(request: Request, token: str) -> str:
    """RFC 8288. Relative, so that it is right behind any proxy."""
    query = [(name, value) for name, value in request.query_params.multi_items() if name != "after"]
    return f'<{request.url.path}?{urlencode([*query, ("after", token)])}>; rel="next"'
