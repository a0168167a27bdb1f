"""What holds for every path: HEAD, trailing slashes, unknown paths and methods, and the links of `GET /`."""

import re
from html import unescape

import httpx2
import pytest

from app.errors.catalogue import PROBLEMS
from tests.api.support import assert_problem, create
from tests.conftest import Service

READABLE = [
    "/", "/goods", "/goods/{id}", "/goods/by-sku/A/B", "/goods/{id}/stock/movements", "/categories", "/problems",
    "/problems/sku-taken", "/docs",
    "/docs/assets/swagger-ui-bundle.js", "/docs/assets/swagger-ui.css", "/docs/assets/favicon.png",
    "/openapi.json", "/livez", "/readyz",
]  # fmt: skip


@pytest.mark.parametrize("path", [*READABLE, "/goods/0", "/goods/abc", "/goods/by-sku/NONE", "/problems/none", "/none"])
async def test_head_is_answered_wherever_get_is(client: httpx2.AsyncClient, path: str) -> None:
    good = await create(client, sku="A/B")
    path = path.format(id=good["id"])
    got, head = await client.get(path), await client.head(path)
    assert head.status_code == got.status_code
    assert head.content == b""
    changing = {"date", "x-request-id"}
    assert set(head.headers) == set(got.headers)
    same = set(got.headers) - changing - ({"content-length"} if got.is_error else set())
    assert {name: head.headers[name] for name in same} == {name: got.headers[name] for name in same}


async def test_head_of_the_metrics_has_no_body(client: httpx2.AsyncClient) -> None:
    head = await client.head("/metrics")
    assert (head.status_code, head.content) == (200, b"")


@pytest.mark.parametrize("path", [*READABLE[1:], "/metrics"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_trailing_slash_is_accepted_and_never_redirected(
    client: httpx2.AsyncClient, method: str, path: str
) -> None:
    good = await create(client, sku="A/B")
    answer = await client.request(method, path.format(id=good["id"]) + "/")
    assert answer.status_code == 200
    assert "location" not in answer.headers


async def test_writes_accept_a_trailing_slash_too(client: httpx2.AsyncClient) -> None:
    body = {"name": "Wick", "price": "1"}
    made = await client.post("/goods/", json=body)
    assert made.status_code == 201
    path = made.headers["location"] + "/"
    statuses = [
        (await client.put(path, json=body)).status_code,
        (await client.patch(path, json={"stock": 1})).status_code,
        (await client.post(f"{path}stock/", json={"delta": 1, "reason": "receipt"})).status_code,
        (await client.delete(path)).status_code,
    ]
    assert statuses == [200, 200, 201, 204]


@pytest.mark.parametrize(
    "path", ["/none", "/goods/1/none", "/goods//", "//goods", "/Goods", "/problems/a/b", "/docs/assets/none.js", "/%FF"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_an_unknown_path_is_not_found(
    client: httpx2.AsyncClient, service: Service, method: str, path: str
) -> None:
    assert_problem(await client.request(method, service.url + path), 404, "not-found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/goods", {"GET", "HEAD", "POST"}),
        ("PATCH", "/goods/", {"GET", "HEAD", "POST"}),
        ("POST", "/goods/1", {"GET", "HEAD", "PUT", "PATCH", "DELETE"}),
        ("PUT", "/goods/by-sku/A/B", {"GET", "HEAD"}),
        ("POST", "/categories", {"GET", "HEAD"}),
        ("GET", "/goods/1/stock", {"POST"}),
        ("GET", "/stock/", {"POST"}),
        ("DELETE", "/goods/1/stock/movements", {"GET", "HEAD"}),
        ("POST", "/", {"GET", "HEAD"}),
        ("POST", "/metrics", {"GET", "HEAD"}),
        ("OPTIONS", "/goods/1", {"GET", "HEAD", "PUT", "PATCH", "DELETE"}),
    ],
)
async def test_a_method_that_the_path_lacks_is_told_which_it_has(
    client: httpx2.AsyncClient, method: str, path: str, allowed: set[str]
) -> None:
    answer = await client.request(method, path)
    assert_problem(answer, 405, "method-not-allowed")
    assert set(answer.headers["allow"].split(", ")) == allowed


async def test_every_link_of_the_index_answers(client: httpx2.AsyncClient) -> None:
    good = await create(client, sku="A/B")
    body = (await client.get("/")).json()
    assert body["service"] == "goods-api"
    assert body["currency"]
    upload = await client.post("/imports", content="sku\n", headers={"Content-Type": "text/csv"})
    for link in body["links"].values():
        of_an_import = link.startswith("/imports")
        path = link.format(id=upload.json()["id"] if of_an_import else good["id"], sku=good["sku"])
        assert (await client.get(path)).status_code == 200, link


async def test_the_index_links_to_every_path_that_can_be_read(client: httpx2.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    linked = {re.sub(r"\{[^}]*\}", "{}", link) for link in (await client.get("/")).json()["links"].values()}
    readable = {re.sub(r"\{[^}]*\}", "{}", path) for path, item in document["paths"].items() if "get" in item}
    assert readable - linked == {"/", "/problems/{}"}


@pytest.mark.parametrize("name", PROBLEMS)
async def test_every_problem_has_a_page_for_people_and_for_programs(client: httpx2.AsyncClient, name: str) -> None:
    problem = PROBLEMS[name]
    page = await client.get(f"/problems/{name}", headers={"Accept": "text/html"})
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert f"/problems/{name}" in page.text
    assert problem.title in unescape(page.text)
    assert "`" not in page.text
    entry = await client.get(f"/problems/{name}", headers={"Accept": "application/json"})
    assert entry.headers["content-type"] == "application/json"
    assert entry.json() == {
        "type": f"/problems/{name}",
        "status": problem.status,
        "title": problem.title,
        "meaning": problem.meaning,
        "remedy": problem.remedy,
    }


async def test_the_list_of_problems_is_a_collection(client: httpx2.AsyncClient) -> None:
    listed = (await client.get("/problems")).json()
    assert [item["type"] for item in listed["items"]] == [f"/problems/{name}" for name in PROBLEMS]
    assert listed["next"] is None


async def test_a_problem_that_nobody_knows_is_not_found(client: httpx2.AsyncClient) -> None:
    assert_problem(await client.get("/problems/none"), 404, "problem-not-found")
