"""What the tests of the API share: making goods, reading problems, and looking behind the service."""

import json
import re
from collections.abc import Mapping
from typing import Any

import httpx2
from prometheus_client.parser import text_string_to_metric_families

FIELDS = {"id", "sku", "name", "description", "category", "price", "stock", "version", "created_at", "updated_at"}
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)


async def create(client: httpx2.AsyncClient, **fields: Any) -> dict[str, Any]:
    """A new good, as the service answered it."""
    answer = await client.post("/goods", json={"name": "Storm lantern", "price": "24.90", **fields})
    assert answer.status_code == 201, answer.text
    good: dict[str, Any] = answer.json()
    return good


async def read(client: httpx2.AsyncClient, goods_id: int) -> dict[str, Any]:
    answer = await client.get(f"/goods/{goods_id}")
    assert answer.status_code == 200, answer.text
    good: dict[str, Any] = answer.json()
    return good


def assert_problem(answer: httpx2.Response, status: int, name: str, **members: int) -> list[dict[str, str]]:
    """The answer is this problem, in the shape that all problems have; its list of errors.

    `members` are what this kind has besides.
    """
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert set(body) - {"errors"} == {"type", "title", "status", "detail", "instance", "request_id", *members}
    assert {member: body[member] for member in members} == members
    assert (body["type"], body["status"]) == (f"/problems/{name}", status)
    assert body["request_id"] == answer.headers["x-request-id"]
    assert body["instance"] == f"urn:request:{body['request_id']}"
    assert body["title"]
    assert body["detail"]
    errors: list[dict[str, str]] = body.get("errors", [])
    for error in errors:
        assert set(error) in ({kind, "detail"} for kind in ("pointer", "parameter", "header"))
    return errors


def places(errors: list[dict[str, str]]) -> list[str]:
    """Where the errors are: pointers, parameters and headers."""
    return sorted(value for error in errors for key, value in error.items() if key != "detail")


async def movements(connection: Any, goods_id: int) -> list[Mapping[str, Any]]:
    """The ledger of a good, oldest first."""
    rows: list[Mapping[str, Any]] = await connection.fetch(
        "SELECT * FROM stock_movements WHERE goods_id = $1 ORDER BY id", goods_id
    )
    return rows


async def changes(connection: Any, goods_id: int) -> list[dict[str, Any]]:
    """The change entries of a good in the order of their numbers, with `before` and `after` parsed."""
    rows = await connection.fetch("SELECT * FROM changes WHERE goods_id = $1 ORDER BY seq", goods_id)
    parsed = [dict(row) for row in rows]
    for row in parsed:
        for side in ("before", "after"):
            row[side] = None if row[side] is None else json.loads(row[side])
    return parsed


async def everything(connection: Any) -> dict[str, list[dict[str, Any]]]:
    """All rows of the three books, without the positions of changes: they are given in the background, a moment later.

    What is the same before and after has not been touched.
    """
    return {
        table: [
            {name: value for name, value in row.items() if name != "position"}
            for row in await connection.fetch(f"SELECT * FROM {table} ORDER BY 1")
        ]
        for table in ("goods", "stock_movements", "changes")
    }


async def counted(client: httpx2.AsyncClient, name: str, **labels: str) -> float:
    """The value of a counter on /metrics."""
    text = (await client.get("/metrics")).text
    # The parser takes a while for the whole page.
    lines = [line for line in text.splitlines(keepends=True) if line.startswith((f"{name}{{", f"{name} "))]
    for family in text_string_to_metric_families("".join(lines)):
        for sample in family.samples:
            if sample.name == name and labels.items() <= sample.labels.items():
                return float(sample.value)
    message = f"{name}{labels} is not on /metrics"
    raise LookupError(message)


async def all_pages(
    client: httpx2.AsyncClient, path: str, parameters: Mapping[str, Any], *, most: int = 1000
) -> list[dict[str, Any]]:
    """Every item of a collection, walked by its tokens."""
    items: list[dict[str, Any]] = []
    query = dict(parameters)
    for _ in range(most):
        answer = await client.get(path, params=query)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        items += page["items"]
        if page["next"] is None:
            return items
        query["after"] = page["next"]
    message = "the walk does not end"
    raise AssertionError(message)
