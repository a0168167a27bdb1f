"""A page for every kind of problem: where the `type` of an error answer leads."""

import json
from html import escape
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, Field

from app.errors.catalogue import PROBLEMS, ProblemType
from app.errors.domain import ProblemNotFound
from app.rest.description import problems
from app.rest.routing import StrictRoute

router = APIRouter(route_class=StrictRoute, tags=["about"])


class ProblemKind(BaseModel):
    """One kind of problem."""

    type: str = Field(description="What problems of this kind have as their `type`.", examples=["/problems/sku-taken"])
    status: int = Field(description="The status code that it is answered with.", examples=[409])
    title: str = Field(description="It in words.", examples=["The SKU belongs to another good"])
    meaning: str = Field(description="What is the case.", examples=["SKUs are unique, and another good has this one."])
    remedy: str = Field(description="What to do.", examples=["Choose another SKU."])


class ProblemKinds(BaseModel):
    """Every kind of problem."""

    items: list[ProblemKind] = Field(description="By their status codes.")
    next: None = Field(description="Always null: there is one page.")


_ALL: dict[int | str, dict[str, Any]] = {
    200: {"model": ProblemKinds, "description": "All of them."},
    **problems(),
}
_ONE: dict[int | str, dict[str, Any]] = {
    200: {
        "model": ProblemKind,
        "description": "What it means and what to do.",
        "content": {
            "text/html": {"schema": {"type": "string"}, "example": "<!doctype html><title>No such good</title>"}
        },
    },
    **problems("problem-not-found"),
}

_STYLED = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>body{{font:1.1rem/1.5 system-ui,sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem}}
code{{background:#8882;padding:.1em .3em;border-radius:.2em}} :root{{color-scheme:light dark}}</style>
<h1>{title}</h1>
<p>Status <code>{status}</code>, type <code>/problems/{name}</code></p>
<h2>What it means</h2><p>{meaning}</p>
<h2>What to do</h2><p>{remedy}</p>
<p><a href="/problems">All problems</a> · <a href="/docs">API documentation</a></p>
</html>
"""


@router.get("/problems", summary="Every kind of problem", response_class=Response, responses=_ALL)
async def list_problems() -> Response:
    """All problems that the service can answer with."""
    items = [_entry(problem) for problem in PROBLEMS.values()]
    return Response(json.dumps({"items": items, "next": None}), media_type="application/json")


@router.get("/problems/{name}", summary="One kind of problem", response_class=Response, responses=_ONE)
async def read_problem(
    request: Request,
    name: Annotated[str, Path(description="The last part of a problem's `type`.", examples=["sku-taken"])],
) -> Response:
    """A page for people; JSON when `Accept` asks for it."""
    problem = PROBLEMS.get(name)
    if problem is None:
        raise ProblemNotFound
    if "json" in request.headers.get("accept", ""):
        return Response(json.dumps(_entry(problem)), media_type="application/json")
    page = _PAGE.format(
        name=problem.name,
        status=problem.status,
        title=escape(problem.title),
        meaning=_text(problem.meaning),
        remedy=_text(problem.remedy),
    )
    return Response(page, media_type="text/html", headers={"Content-Security-Policy": _STYLED})


def _entry(problem: ProblemType) -> dict[str, object]:
    return {
        "type": f"/problems/{problem.name}",
        "status": problem.status,
        "title": problem.title,
        "meaning": problem.meaning,
        "remedy": problem.remedy,
    }


def _text(markdown: str) -> str:
    """The catalogue's texts know one mark: backquotes around code."""
    parts = escape(markdown).split("`")
    return "".join(f"<code>{part}</code>" if n % 2 else part for n, part in enumerate(parts))
