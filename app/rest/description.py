"""How operations describe their error answers in OpenAPI."""

from typing import Any

from pydantic import BaseModel, Field

from app.errors.catalogue import PROBLEMS, ProblemType

PROBLEM_MEDIA_TYPE = "application/problem+json"
_REQUEST_ID = "0af7651916cd43dd8448eb211c80319c"
_TAGS = {
    "goods": "The catalogue: goods, one by one and many at once.",
    "stock": "Pieces that come and go, with a ledger.",
    "changes": "What happened, in order.",
    "imports": "Files that are planned, applied and undone.",
    "health": "For whoever runs the service.",
    "about": "What the service says of itself.",
}


class Problem(BaseModel):
    """Problem details (RFC 9457)."""

    type: str = Field(description="A page that explains this kind of problem.", examples=["/problems/goods-not-found"])
    title: str = Field(description="The kind of problem in words.", examples=["No such good"])
    status: int = Field(description="The status code of the answer.", examples=[404])
    detail: str = Field(
        description="What was wrong this time, in full sentences.", examples=["No good has this id or SKU."]
    )
    instance: str = Field(description="This occurrence.", examples=["urn:request:0af7651916cd43dd8448eb211c80319c"])
    request_id: str = Field(description="Also in X-Request-ID and in the log line.", examples=[_REQUEST_ID])
    errors: list[dict[str, str]] | None = Field(
        default=None,
        description="Each place of the input that breaks a rule, as `pointer`, `parameter` or `header`, and `detail`.",
        examples=[[{"pointer": "#/price", "detail": "is required"}]],
    )


def problems(*names: str, database: bool = False) -> dict[int | str, dict[str, Any]]:
    """The error answers of an operation, by the names of the catalogue; `database`: it needs the database."""
    by_status: dict[int | str, dict[str, Any]] = {}
    unavailable = ("database-unavailable", "overloaded") if database else ()
    for name in (*names, "invalid-input", "internal-error", *unavailable):
        problem = PROBLEMS[name]
        known = by_status.get(problem.status)
        text = f"`{name}`: {problem.title}."
        examples = {} if known is None else known["content"][PROBLEM_MEDIA_TYPE]["examples"]
        by_status[problem.status] = {
            "description": text if known is None else f"{known['description']} {text}",
            "content": {
                PROBLEM_MEDIA_TYPE: {
                    "schema": {"$ref": f"#/components/schemas/{Problem.__name__}"},
                    "examples": {**examples, name: {"summary": problem.title, "value": _example(problem)}},
                }
            },
        }
    return by_status


def _example(problem: ProblemType) -> dict[str, Any]:
    return {
        "type": f"/problems/{problem.name}",
        "title": problem.title,
        "status": problem.status,
        "detail": problem.meaning,
        "instance": f"urn:request:{_REQUEST_ID}",
        "request_id": _REQUEST_ID,
    }


def complete(document: dict[str, Any]) -> dict[str, Any]:
    """Add what FastAPI can't know: the one shape of all errors, and the media type of merge patches (RFC 7396)."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas[Problem.__name__] = Problem.model_json_schema()
    document["info"]["license"] = {"name": "MIT", "identifier": "MIT"}
    document["tags"] = [{"name": name, "description": text} for name, text in _TAGS.items()]
    for operations in document["paths"].values():
        if "patch" in operations:
            content = operations["patch"]["requestBody"]["content"]
            content["application/merge-patch+json"] = content["application/json"]
    return document
