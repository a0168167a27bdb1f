"""What the OpenAPI document says that FastAPI can't know: errors and their examples, and what all operations share."""

from typing import Any

from pydantic import BaseModel, Field

from app.errors.catalogue import PROBLEMS
from app.rest.examples import REQUEST_ID, fill_examples, problem_example

PROBLEM_MEDIA_TYPE = "application/problem+json"
# What can be wrong with any JSON body, and with any request that has an Idempotency-Key.
JSON_BODY = ("malformed-json", "malformed-request", "request-timeout", "body-too-large", "unsupported-media-type")
IDEMPOTENCY_KEY = ("idempotency-key-in-use", "idempotency-key-reused")
_SCHEMA = "#/components/schemas/{model}"
_NEED_RETRY_AFTER = (429, 503)
_CHALLENGES = 401
_TAGS = {
    "goods": "The catalogue: goods, one by one and many at once.",
    "stock": "Pieces that come and go, with a ledger.",
    "changes": "What happened, in order.",
    "imports": "Files that are planned, applied and undone.",
    "health": "For whoever runs the service.",
    "about": "What the service says of itself.",
}


_HEADERS: dict[str, dict[str, Any]] = {
    "X-Request-ID": {
        "description": "Names this request in the log: the caller's own X-Request-ID if it is short and printable.",
        "schema": {"type": "string"},
        "example": REQUEST_ID,
    },
    "Retry-After": {
        "description": "When to try again, in seconds.",
        "schema": {"type": "integer", "minimum": 1},
        "example": 2,
    },
    "WWW-Authenticate": {
        "description": "What kind of key is asked for (RFC 6750).",
        "schema": {"type": "string"},
        "example": 'Bearer realm="Goods API"',
    },
    "Idempotency-Replayed": {
        "description": "There, and `true`, when this is the answer to an earlier request with the same key.",
        "schema": {"type": "string", "enum": ["true"]},
        "example": "true",
    },
}


class Place(BaseModel):
    """One place of the input that breaks a rule: where it is, as one of three, and what is expected there."""

    pointer: str = Field(description="A place in the body: a JSON pointer (RFC 6901).", examples=["#/price"])
    parameter: str = Field(description="A parameter of the path or the query.", examples=["limit"])
    header: str = Field(description="A header.", examples=["If-Match"])
    detail: str = Field(description="What is expected there.", examples=["is required"])


class Problem(BaseModel):
    """Problem details (RFC 9457)."""

    type: str = Field(description="A page that explains this kind of problem.", examples=["/problems/goods-not-found"])
    title: str = Field(description="The kind of problem in words.", examples=["No such good"])
    status: int = Field(description="The status code of the answer.", examples=[404])
    detail: str = Field(
        description="What was wrong this time, in full sentences.", examples=["No good has this id or SKU."]
    )
    instance: str = Field(description="This occurrence.", examples=[f"urn:request:{REQUEST_ID}"])
    request_id: str = Field(description="Also in X-Request-ID and in the log line.", examples=[REQUEST_ID])
    errors: list[Place] = Field(
        default=[],
        description="Each place of the input that breaks a rule.",
        examples=[[{"pointer": "#/price", "detail": "is required"}]],
    )
    requested: int = Field(default=0, description="`stock-too-low`: the pieces that were asked for.", examples=[5])
    available: int = Field(default=0, description="`stock-too-low`: the pieces that there are.", examples=[3])


def parameter(name: str, where: str, schema: dict[str, Any], text: str) -> dict[str, Any]:
    """One parameter, for routes that have theirs written out; those of the path are required."""
    return {"name": name, "in": where, "required": where == "path", "schema": schema, "description": text}


def problems(*names: str, database: bool = False) -> dict[int | str, dict[str, Any]]:
    """The error answers of an operation, by the names of the catalogue; `database`: it needs the database."""
    unavailable = ("database-unavailable", "overloaded") if database else ()
    return problem_answers(*names, "invalid-input", "internal-error", *unavailable)


def problem_answers(*names: str) -> dict[int | str, dict[str, Any]]:
    """The answers that these problems are, by status."""
    by_status: dict[int | str, dict[str, Any]] = {}
    for name in names:
        problem = PROBLEMS[name]
        answer = by_status.setdefault(
            problem.status,
            {
                "description": "",
                "content": {
                    PROBLEM_MEDIA_TYPE: {"schema": {"$ref": _SCHEMA.format(model=Problem.__name__)}, "examples": {}}
                },
            },
        )
        answer["description"] = f"{answer['description']} `{name}`: {problem.title}.".strip()
        answer["content"][PROBLEM_MEDIA_TYPE]["examples"][name] = {"$ref": f"#/components/examples/{name}"}
        if problem.status in _NEED_RETRY_AFTER or name == "idempotency-key-in-use":
            answer["headers"] = _headers("Retry-After")
        if problem.status == _CHALLENGES:
            answer["headers"] = _headers("WWW-Authenticate")
    return by_status


def complete(document: dict[str, Any]) -> dict[str, Any]:
    """Add what FastAPI can't know, to a document that it made. Examples that are not given come from the schemas."""
    document["info"] |= {
        "license": {"name": "MIT", "identifier": "MIT"},
        "contact": {"name": "The Goods API authors"},
    }
    document["servers"] = [{"url": "/", "description": "The deployment that this document was read from."}]
    document["tags"] = [{"name": name, "description": text} for name, text in _TAGS.items()]
    components = document.setdefault("components", {})
    components.setdefault("schemas", {}).update(_problem_schemas())
    components["headers"] = _HEADERS
    operations = [operation for methods in document["paths"].values() for operation in methods.values()]
    for operation in operations:
        _complete_parameters(operation.get("parameters", []))
        _complete_answers(operation)
    _merge_patches(document)
    fill_examples(document)
    named = {name for operation in operations for name in _problem_names(operation)}
    components["examples"] = {name: problem_example(name) for name in PROBLEMS if name in named}
    return document


def _headers(*names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _problem_schemas() -> dict[str, Any]:
    problem = Problem.model_json_schema(ref_template=_SCHEMA)
    place = problem.pop("$defs")[Place.__name__]
    place["required"] = ["detail"]
    for field in problem["properties"].values():
        field.pop("default", None)  # left out is not the same as 0
    return {Problem.__name__: problem, Place.__name__: place}


def _complete_parameters(parameters: list[dict[str, Any]]) -> None:
    """Left out is not null: a query can't say null, and a generated client should not offer it."""
    for parameter in parameters:
        schema = parameter["schema"]
        kinds = [kind for kind in schema.pop("anyOf", []) if kind != {"type": "null"}]
        parameter["schema"] = {"anyOf": kinds, **schema} if len(kinds) > 1 else {**(kinds or [{}])[0], **schema}
        if parameter["in"] == "header":
            parameter["name"] = parameter["name"].title()


def _complete_answers(operation: dict[str, Any]) -> None:
    names = {parameter["name"] for parameter in operation.get("parameters", [])}
    for status, answer in operation["responses"].items():
        common = ["X-Request-ID"]
        if status.startswith("2") and "Idempotency-Key" in names:
            common.append("Idempotency-Replayed")
        answer["headers"] = {**answer.get("headers", {}), **_headers(*common)}


def _merge_patches(document: dict[str, Any]) -> None:
    """The media type of merge patches (RFC 7396)."""
    for operations in document["paths"].values():
        if "patch" in operations:
            content = operations["patch"]["requestBody"]["content"]
            content["application/merge-patch+json"] = content["application/json"]


def _problem_names(operation: dict[str, Any]) -> list[str]:
    answers = [answer.get("content", {}).get(PROBLEM_MEDIA_TYPE, {}) for answer in operation["responses"].values()]
    return [name for answer in answers for name in answer.get("examples", {})]
