"""Examples for the OpenAPI document: what the service really answers with, and what schemas say of themselves."""

import json
from collections.abc import Iterator
from typing import Any

from app.errors import domain
from app.errors.catalogue import PROBLEMS
from app.errors.domain import Fault, GoodsApiError
from app.errors.http import problem_body

REQUEST_ID = "0af7651916cd43dd8448eb211c80319c"
_TOO_FEW = [Fault("pointer", "#/delta", "takes more pieces than there are")]
_RAISED: tuple[GoodsApiError, ...] = (
    domain.MalformedJson("The body is empty."),
    domain.MalformedRequest("The body's trailers are too large."),
    domain.RequestTimeout("The body did not arrive within 30 seconds."),
    domain.BodyTooLarge(2_097_152),
    domain.UnsupportedMediaType("Send the body with Content-Type application/json."),
    domain.InvalidInput([Fault("parameter", "page", "is not a parameter of this path")]),
    domain.GoodsNotFound(),
    domain.ImportNotFound(),
    domain.ProblemNotFound(),
    domain.KeyRequired(),
    domain.InvalidKey(),
    domain.ScopeTooSmall("read", "write"),
    domain.SkuTaken(),
    domain.VersionConflict(4),
    domain.PreconditionFailed(4),
    domain.PreconditionRequired(),
    domain.StockTooLow(_TOO_FEW, requested=5, available=3),
    domain.StockTooHigh([Fault("pointer", "#/delta", "brings more pieces than a good can have")]),
    domain.WrongImportState("planning"),
    domain.IdempotencyKeyInUse(),
    domain.IdempotencyKeyReused(),
    domain.RateLimited(1),
    domain.DatabaseUnavailable(),
    domain.Overloaded(),
    domain.NotReady("This instance is shutting down."),
)
_ERRORS = {error.problem: error for error in _RAISED}


def problem_example(name: str) -> dict[str, Any]:
    """An example of this kind of problem, as an OpenAPI Example Object."""
    error = _ERRORS.get(name) or GoodsApiError(PROBLEMS[name].meaning)
    body = problem_body(name, detail=error.detail, request_id=REQUEST_ID, faults=error.faults, members=error.members)
    return {"summary": PROBLEMS[name].title, "value": json.loads(body)}


def fill_examples(document: dict[str, Any]) -> None:
    """Give an example to each property, parameter and JSON body that has none, wherever its schema holds one.

    Changes `document` in place. What no example can be made for stays without: the linter says so.
    """
    for schema in document["components"]["schemas"].values():
        for field in schema.get("properties", {}).values():
            if "$ref" not in field and "$ref" not in field.get("items", {}):
                _fill(document, field, field, "examples")
    for operation in (each for methods in document["paths"].values() for each in methods.values()):
        for parameter in operation.get("parameters", []):
            _fill(document, parameter, parameter["schema"], "example")
        for content in _contents(operation):
            if "schema" in content and "examples" not in content:
                _fill(document, content, content["schema"], "example")


def _contents(operation: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for part in (operation.get("requestBody", {}), *operation["responses"].values()):
        yield from part.get("content", {}).values()


def _fill(document: dict[str, Any], holder: dict[str, Any], schema: dict[str, Any], key: str) -> None:
    made = [] if {"example", "examples"} & set(holder) else _examples(document, schema)
    if made:
        holder[key] = made if key == "examples" else made[0]


def _examples(document: dict[str, Any], schema: dict[str, Any]) -> list[Any]:
    """One example, as a schema has it or put together from its parts; none if a part of it has none."""
    if "$ref" in schema:
        return _examples(document, document["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    for key in ("examples", "enum"):
        if key in schema:
            return list(schema[key][:1])
    for key in ("const", "default", "minimum"):
        if key in schema:
            return [schema[key]]
    if "anyOf" in schema:
        return next((made for kind in schema["anyOf"] if (made := _examples(document, kind))), [])
    return _put_together(document, schema)


def _put_together(document: dict[str, Any], schema: dict[str, Any]) -> list[Any]:
    match schema.get("type"):
        case "null":
            return [None]
        case "array":
            return [_examples(document, schema["items"])]
        case "object":
            parts = {name: _examples(document, field) for name, field in schema.get("properties", {}).items()}
            return [{name: made[0] for name, made in parts.items()}] if all(parts.values()) else []
    return []
