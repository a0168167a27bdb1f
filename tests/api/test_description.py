"""The API's description: an OpenAPI document that is complete, and Swagger UI that needs no other host."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import httpx2
import pytest

from app.access.guard import is_open
from app.goods.schemas.goods import GoodsRead
from tests.api.support import assert_problem, create

METHODS = ("get", "put", "post", "patch", "delete", "head", "options", "trace")


@pytest.fixture
async def document(client: httpx2.AsyncClient) -> dict[str, Any]:
    answer = await client.get("/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    parsed: dict[str, Any] = answer.json()
    return parsed


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield method, path, item[method]


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


async def test_the_document_has_the_structure_of_openapi(document: dict[str, Any]) -> None:
    assert re.fullmatch(r"3\.1\.\d", document["openapi"])
    assert {"title", "version", "description"} <= set(document["info"])
    assert set(document) <= {"openapi", "info", "paths", "components", "tags", "servers"}
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(ids)) == len(ids)
    for _, path, operation in operations(document):
        assert operation["summary"], path
        assert operation["tags"], path
        assert any(status.startswith("2") for status in operation["responses"]), path
        for status, response in operation["responses"].items():
            assert re.fullmatch(r"[1-5]\d\d", status), path
            assert response["description"], (path, status)


async def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    found = set(references(document))
    assert found
    for reference in found:
        node: Any = document
        assert reference.startswith("#/")
        for part in reference[2:].split("/"):
            node = node[part]
        assert node


async def test_every_parameter_is_described_once(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        parameters = operation.get("parameters", [])
        names = [(parameter["in"], parameter["name"].lower()) for parameter in parameters]
        assert len(set(names)) == len(names), (method, path)
        assert {name for place, name in names if place == "path"} == set(re.findall(r"\{(\w+)", path)), path
        for parameter in parameters:
            assert parameter["schema"], (path, parameter["name"])
            assert parameter.get("required", False) is (parameter["in"] == "path"), (path, parameter["name"])
            assert "null" not in str(parameter["schema"].get("default", "")), path


async def test_bounds_are_written_in_json_schemas_own_words(document: dict[str, Any]) -> None:
    """Not as `ge` and `le`, which no reader of JSON Schema knows."""
    schemas = document["components"]["schemas"]
    for shape in ("GoodsCreate", "GoodsReplace", "GoodsPatch"):
        fields = schemas[shape]["properties"]
        assert (fields["stock"]["minimum"], fields["stock"]["maximum"]) == (0, 2_147_483_647)
        assert (fields["name"]["minLength"], fields["name"]["maxLength"]) == (1, 200)
        assert schemas[shape]["additionalProperties"] is False
        assert "default" not in fields["stock"] or fields["stock"]["default"] == 0
    listed = {parameter["name"]: parameter for parameter in document["paths"]["/goods"]["get"]["parameters"]}
    assert (listed["limit"]["schema"]["minimum"], listed["limit"]["schema"]["maximum"]) == (1, 500)


async def test_no_default_is_null_where_null_means_something(document: dict[str, Any]) -> None:
    for shape in ("GoodsReplace", "GoodsPatch"):
        for field in document["components"]["schemas"][shape]["properties"].values():
            assert field.get("default", "") is not None


async def test_every_error_has_the_one_shape(document: dict[str, Any]) -> None:
    """Ours, never the framework's own: what is documented is what is sent."""
    assert "HTTPValidationError" not in document["components"]["schemas"]
    for method, path, operation in operations(document):
        for status, response in operation["responses"].items():
            if int(status) >= 400:
                schema = response["content"]["application/problem+json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/Problem"}, (method, path, status)


@pytest.mark.parametrize(
    ("method", "path", "statuses"),
    [
        ("get", "/goods", {200, 422, 500, 503}),
        ("post", "/goods", {201, 400, 408, 409, 413, 415, 422, 500, 503}),
        ("get", "/goods/{goods_id}", {200, 304, 404, 410, 422, 500, 503}),
        ("get", "/goods/by-sku/{sku}", {200, 304, 404, 410, 422, 500, 503}),
        ("put", "/goods/{goods_id}", {200, 400, 404, 408, 409, 412, 413, 415, 422, 428, 500, 503}),
        ("patch", "/goods/{goods_id}", {200, 400, 404, 408, 409, 412, 413, 415, 422, 428, 500, 503}),
        ("delete", "/goods/{goods_id}", {204, 404, 412, 422, 428, 500, 503}),
        ("get", "/categories", {200, 422, 500, 503}),
        ("post", "/goods/{goods_id}/stock", {201, 400, 404, 408, 409, 412, 413, 415, 422, 500, 503}),
        ("post", "/stock", {201, 400, 404, 408, 409, 413, 415, 422, 500, 503}),
        ("get", "/goods/{goods_id}/stock/movements", {200, 404, 422, 500, 503}),
        ("get", "/changes", {200, 410, 422, 500, 503}),
        ("get", "/goods/{goods_id}/history", {200, 404, 422, 500, 503}),
        ("get", "/goods/export", {200, 422, 500, 503}),
        ("post", "/goods/bulk", {200, 400, 408, 409, 413, 415, 422, 500, 503}),
        ("post", "/imports", {202, 400, 408, 409, 413, 415, 422, 500, 503}),
        ("post", "/imports/{import_id}/apply", {202, 404, 409, 422, 500, 503}),
        ("get", "/problems/{name}", {200, 404, 422, 500}),
        ("get", "/readyz", {200, 422, 500, 503}),
    ],
)
async def test_an_operation_names_every_answer_that_it_can_give(
    document: dict[str, Any], method: str, path: str, statuses: set[int]
) -> None:
    if not is_open(path):
        statuses |= {401, 403, 429}
    assert {int(status) for status in document["paths"][path][method]["responses"]} == statuses


async def test_every_operation_documents_its_errors(client: httpx2.AsyncClient, document: dict[str, Any]) -> None:
    """All refuse an unknown query parameter at least."""
    for method, path, operation in operations(document):
        assert any(int(status) >= 400 for status in operation["responses"]), (method, path)
        concrete = re.sub(r"\{[^}]*\}", "1", path)
        answer = await client.request(method.upper(), concrete, params={"nonsense": "1"})
        assert_problem(answer, 422, "invalid-input")
        assert "422" in operation["responses"], (method, path)


async def test_bodies_are_described_with_their_media_types(document: dict[str, Any]) -> None:
    taken = {
        (method, path): set(operation["requestBody"]["content"])
        for method, path, operation in operations(document)
        if "requestBody" in operation
    }
    assert taken == {
        ("post", "/goods"): {"application/json"},
        ("put", "/goods/{goods_id}"): {"application/json"},
        ("post", "/goods/bulk"): {"application/json"},
        ("post", "/goods/{goods_id}/stock"): {"application/json"},
        ("post", "/stock"): {"application/json"},
        ("post", "/imports"): {"application/x-ndjson", "text/csv"},
        ("patch", "/goods/{goods_id}"): {"application/json", "application/merge-patch+json"},
    }


async def test_a_good_has_the_documented_fields_in_their_types(
    client: httpx2.AsyncClient, document: dict[str, Any]
) -> None:
    schema = document["components"]["schemas"]["GoodsRead"]
    good = await create(client, sku="A/B", description="x")
    assert list(good) == list(schema["properties"]) == list(GoodsRead.model_fields)
    assert set(schema["required"]) == set(good)
    python = {"string": str, "integer": int}
    for name, field in schema["properties"].items():
        assert type(good[name]) is python[field["type"]], name
        if "pattern" in field:
            assert re.fullmatch(field["pattern"], good[name])
    for path in ("/goods/{goods_id}", "/goods/by-sku/{sku}"):
        content = document["paths"][path]["get"]["responses"]["200"]["content"]
        assert content["application/json"]["schema"] == {"$ref": "#/components/schemas/GoodsRead"}


async def test_a_problem_has_the_documented_fields(client: httpx2.AsyncClient, document: dict[str, Any]) -> None:
    schema = document["components"]["schemas"]["Problem"]
    plain = (await client.get("/goods/0")).json()
    good = await create(client, stock=3)
    full = (await client.post(f"/goods/{good['id']}/stock", json={"delta": -5, "reason": "sale"})).json()
    assert set(schema["required"]) == set(plain)
    assert set(schema["properties"]) == set(full)
    shown = document["components"]["examples"]["stock-too-low"]["value"]
    assert shown == {**full, "instance": shown["instance"], "request_id": shown["request_id"]}


class _Addresses(HTMLParser):
    """Collects what a page loads or links to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - the base's signature
        self.found += [value or "" for name, value in attrs if name in ("src", "href", "action")]


async def test_the_documentation_page_needs_no_other_host(client: httpx2.AsyncClient) -> None:
    page = await client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "//" not in re.sub(r"<!--.*?-->|^\s*//.*$", "", page.text, flags=re.DOTALL | re.MULTILINE)
    addresses = _Addresses()
    addresses.feed(page.text)
    assert len(addresses.found) == 3
    for address in [*addresses.found, "/openapi.json"]:
        assert address.startswith("/docs/assets/") or address == "/openapi.json"
        assert address in page.text
        assert (await client.get(address)).status_code == 200


@pytest.mark.parametrize(
    ("name", "media_type"),
    [("swagger-ui-bundle.js", "text/javascript"), ("swagger-ui.css", "text/css"), ("favicon.png", "image/png")],
)
async def test_the_assets_are_served_with_their_types(client: httpx2.AsyncClient, name: str, media_type: str) -> None:
    asset = await client.get(f"/docs/assets/{name}")
    assert asset.headers["content-type"].partition(";")[0] == media_type
    assert "max-age" in asset.headers["cache-control"]
    assert len(asset.content) > 100


async def test_the_style_sheet_loads_nothing(client: httpx2.AsyncClient) -> None:
    style = (await client.get("/docs/assets/swagger-ui.css")).text
    assert not re.findall(r"@import", style)
    assert [url for url in re.findall(r"url\((.*?)\)", style) if not url.strip("\"'").startswith(("data:", "#"))] == []
