"""The API's description: OpenAPI, and Swagger UI from files that ship with us, so that it works offline."""

import json
import re
from base64 import b64encode
from copy import deepcopy
from functools import lru_cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.openapi.utils import get_openapi

from app import __version__
from app.access.guard import is_open
from app.rest.description import complete, problem_answers
from app.rest.routing import StrictRoute

router = APIRouter(route_class=StrictRoute, include_in_schema=False)

_ASSETS = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon.png": "image/png",
}
_DESCRIPTION = """A catalogue of goods and their stock.

Errors are problem details (RFC 9457): `type` leads to a page that explains it. Every answer carries
`X-Request-ID`, which is in the log line of its request too.

What holds for every path: HEAD is answered wherever GET is. Query parameters that are unknown or repeated are refused
(422), and so are unknown fields of a body. Another path is 404, another method 405 with `Allow`, a request that is not
valid HTTP 400, 408 or 431: problem details all.

A deployment may ask for API keys, for changes or for everything: 401 and 403 come before everything else. A key has the
scope `read` (GET and HEAD), `write` (everything else as well) or `admin` (applying and undoing imports as well)."""
_SCHEMES = {
    "Bearer": {"type": "http", "scheme": "bearer", "description": "An API key, as `Authorization: Bearer <key>`."},
    "ApiKey": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "The same key.",
    },
}
_REFUSALS = ("key-required", "invalid-key", "scope-too-small", "rate-limited")


def describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, with the one shape that all errors have."""
    document = get_openapi(title="Goods API", version=__version__, description=_DESCRIPTION, routes=app.routes)
    _describe_access(document)
    return complete(document)


def _describe_access(document: dict[str, Any]) -> None:
    """Where keys may be asked for; whether they are is the deployment's choice, so none is an alternative."""
    document.setdefault("components", {})["securitySchemes"] = _SCHEMES
    refusals = {str(status): answer for status, answer in problem_answers(*_REFUSALS).items()}
    for path, operations in document["paths"].items():
        for operation in operations.values():
            if is_open(path):
                operation["security"] = []
            else:
                operation["security"] = [{}, *({name: []} for name in _SCHEMES)]
                operation["responses"] |= deepcopy(refusals)


@router.get("/openapi.json")
async def openapi(request: Request) -> Response:
    return Response(json.dumps(request.app.openapi()), media_type="application/json")


@router.get("/docs")
async def docs() -> Response:
    page = get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="Goods API",
        swagger_js_url="/docs/assets/swagger-ui-bundle.js",
        swagger_css_url="/docs/assets/swagger-ui.css",
        swagger_favicon_url="/docs/assets/favicon.png",
    )
    page.headers["Content-Security-Policy"] = _policy_of(bytes(page.body).decode())
    return page


@lru_cache
def _policy_of(page: str) -> str:
    """Only the scripts that we ship, and the ones that are written into the page, may run there."""
    written = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    hashes = " ".join(f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" for text in written)
    return (
        f"default-src 'none'; script-src 'self' {hashes}; style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
        " connect-src 'self'; frame-ancestors 'none'"
    )


@router.get("/docs/assets/swagger-ui-bundle.js")
@router.get("/docs/assets/swagger-ui.css")
@router.get("/docs/assets/favicon.png")
async def asset(request: Request) -> Response:
    name = request.scope["route"].path.rpartition("/")[2]
    return Response(_asset(name), media_type=_ASSETS[name], headers={"Cache-Control": "public, max-age=86400"})


@lru_cache
def _asset(name: str) -> bytes:
    return files("fastapi_offline").joinpath("static", name).read_bytes()
