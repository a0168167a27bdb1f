"""The HTTP face of errors: problem details (RFC 9457), for every error in the same shape."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from app.errors.catalogue import PROBLEMS
from app.errors.domain import Fault, GoodsApiError, InvalidInput, json_pointer, printable
from app.errors.messages import message_of

MEDIA_TYPE = "application/problem+json"
# RFC 6750, section 3: what the client should have sent.
_CHALLENGES = {
    "key-required": 'Bearer realm="Goods API"',
    "invalid-key": 'Bearer realm="Goods API", error="invalid_token"',
    "scope-too-small": 'Bearer realm="Goods API", error="insufficient_scope"',
}
_MOST_FAULTS = 20  # a body of a hundred thousand unknown fields is not echoed


def problem_body(
    name: str,
    *,
    detail: str,
    request_id: str,
    faults: Sequence[Fault] = (),
    members: Mapping[str, int] | None = None,
) -> bytes:
    """The JSON text of one problem. It never holds the rejected value."""
    problem = PROBLEMS[name]
    body: dict[str, Any] = {
        "type": f"/problems/{name}",
        "title": problem.title,
        "status": problem.status,
        "detail": detail,
        "instance": f"urn:request:{request_id}",
        "request_id": request_id,
        **(members or {}),
    }
    if faults:
        body["errors"] = [{fault.kind: fault.place, "detail": fault.detail} for fault in faults]
    return json.dumps(body, separators=(",", ":")).encode()


def request_id_of(scope: Mapping[str, Any]) -> str:
    """The request's id as the request-context middleware left it; empty where that has not run."""
    return str(scope.get("state", {}).get("request_id", ""))


def problem_response(error: GoodsApiError, scope: Mapping[str, Any]) -> Response:
    """The answer that tells the caller of `error`."""
    headers = dict(error.headers)
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    if error.problem in _CHALLENGES:
        headers["WWW-Authenticate"] = _CHALLENGES[error.problem]
    return _respond(
        error.problem, scope, detail=error.detail, faults=error.faults, members=error.members, headers=headers
    )


def internal_error_response(scope: Mapping[str, Any]) -> Response:
    """What a caller learns of a fault that nobody designed: nothing but the id to report."""
    return _respond("internal-error", scope, detail="The fault was logged under this request's id.")


def install(app: FastAPI) -> None:
    """Give every error that reaches the framework its face."""
    app.add_exception_handler(GoodsApiError, _on_designed_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_input)
    app.add_exception_handler(HTTPException, _on_http_exception)


def _respond(
    name: str,
    scope: Mapping[str, Any],
    *,
    detail: str,
    faults: Sequence[Fault] = (),
    members: Mapping[str, int] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    body = problem_body(name, detail=detail, request_id=request_id_of(scope), faults=faults, members=members)
    return Response(body, PROBLEMS[name].status, headers=headers, media_type=MEDIA_TYPE)


async def _on_designed_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, GoodsApiError)  # noqa: S101 - what install() registered it for
    return problem_response(error, request.scope)


async def _on_invalid_input(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - what install() registered it for
    return problem_response(invalid_input(error.errors()), request.scope)


async def _on_http_exception(request: Request, error: Exception) -> Response:
    """What the router itself raises: an unknown path, or a method that the path lacks."""
    assert isinstance(error, HTTPException)  # noqa: S101 - what install() registered it for
    if error.status_code == 405:
        allowed = allowed_methods(request)
        detail = f"This path takes {allowed}."
        return _respond("method-not-allowed", request.scope, detail=detail, headers={"Allow": allowed})
    return _respond("not-found", request.scope, detail="No resource of the service has this path.")


def invalid_input(errors: Sequence[Mapping[str, Any]]) -> InvalidInput:
    """What pydantic complains of in a request, each once: a parameter that two dependencies share comes twice."""
    return InvalidInput(list(dict.fromkeys(_fault(entry) for entry in errors[:_MOST_FAULTS])))


def invalid_query(errors: Sequence[Mapping[str, Any]]) -> InvalidInput:
    """What pydantic complains of in a query's parameters, without their values."""
    return invalid_input([{**entry, "loc": ("query", *entry["loc"])} for entry in errors])


def allowed_methods(request: Request) -> str:
    """Every method that any route of this path takes: the router itself names only those of the first."""
    methods: set[str] = set()
    for route in request.app.routes:
        match, _ = route.matches(request.scope)
        if match is not Match.NONE:
            methods |= getattr(route, "methods", None) or set()
    if "GET" in methods:
        methods.add("HEAD")
    return ", ".join(sorted(methods))


def _fault(entry: Mapping[str, Any]) -> Fault:
    """One entry of pydantic's list of errors, without the value that it complains of."""
    where, *path = entry["loc"]
    detail = message_of(entry)
    if where == "body":
        return Fault("pointer", json_pointer(*path), detail)
    place = printable(str(path[0])) if path else str(where)
    return Fault("header" if where == "header" else "parameter", place, detail)
