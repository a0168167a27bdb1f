"""GET /goods/export: every good that the filters leave, as CSV or NDJSON."""

import csv
import io
import json
from itertools import product
from typing import Any, Literal

import httpx2
import pytest

from app.goods.models.documents import document
from app.goods.queries.export import PAGE
from app.goods.schemas.export import FORMATS
from tests.api.support import FIELDS, assert_problem, create, places

_MANY = """
WITH made AS (
  INSERT INTO goods (sku, name, description, category, price, stock, created_at, updated_at)
  SELECT 'S' || n, 'Good ' || n, $2::text, CASE n % 2 WHEN 0 THEN 'even' ELSE 'odd' END, n, n % 3, now(), now()
  FROM generate_series(1, $1::integer) n RETURNING id, stock
)
INSERT INTO stock_movements (goods_id, goods_version, delta, balance, reason, actor, created_at)
SELECT id, 1, stock, stock, 'initial', 'test', now() FROM made WHERE stock > 0
"""


async def fill(connection: Any, count: int, *, description: str = "") -> None:
    await connection.execute(_MANY, count, description)


def _rows(answer: httpx2.Response) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.text, newline=""), strict=True))


def goods_of(answer: httpx2.Response) -> list[dict[str, Any]]:
    return [json.loads(line) for line in answer.text.splitlines()]


@pytest.mark.parametrize("query", ["", "?format=csv"])
async def test_csv_has_a_line_for_each_good_and_opens_in_a_spreadsheet(client: httpx2.AsyncClient, query: str) -> None:
    good = await create(
        client, sku="-A/B", name="=cmd|'/c calc'!A1", description='a, "b"\nc', category="@home", stock=3
    )
    answer = await client.get(f"/goods/export{query}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    assert answer.headers["content-disposition"] == 'attachment; filename="goods.csv"'
    assert answer.headers["goods-csv-escape"] == "apostrophe"
    (row,) = _rows(answer)
    assert list(row) == list(good)
    marked = {name: f"'{good[name]}" for name in ("sku", "name", "category")}
    assert row == {name: str(value) for name, value in {**good, **marked}.items()}


async def test_ndjson_has_each_good_exactly_as_get_gives_it(client: httpx2.AsyncClient) -> None:
    made = [await create(client, name="=1\u2028\n", description="caf\u00e9"), await create(client)]
    answer = await client.get("/goods/export?format=ndjson")
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.headers["content-disposition"] == 'attachment; filename="goods.ndjson"'
    assert "goods-csv-escape" not in answer.headers
    single = [(await client.get(f"/goods/{good['id']}")).text for good in made]
    assert answer.text == "".join(f"{text}\n" for text in single)


async def test_an_empty_catalogue_is_a_header_line_or_nothing(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/goods/export")).text == ",".join(_ordered()) + "\r\n"
    assert (await client.get("/goods/export?format=ndjson")).content == b""


def _ordered() -> list[str]:
    names = ["id", "sku", "name", "description", "category", "price", "stock", "version", "created_at", "updated_at"]
    assert set(names) == FIELDS
    return names


@pytest.mark.parametrize("count", [PAGE - 1, PAGE, PAGE + 1, 3 * PAGE])
async def test_every_good_comes_once_by_rising_id(client: httpx2.AsyncClient, connection: Any, count: int) -> None:
    await fill(connection, count)
    for form, read in (("csv", _rows), ("ndjson", goods_of)):
        found = read(await client.get("/goods/export", params={"format": form}))
        assert [int(good["id"]) for good in found] == list(range(1, count + 1))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("q=S12", [12]),
        ("category=even", [2, 4, 6, 8, 10, 12]),
        ("category=none", []),
        ("min_price=10", [10, 11, 12]),
        ("max_price=2.00", [1, 2]),
        ("min_price=3&max_price=3", [3]),
        ("in_stock=false", [3, 6, 9, 12]),
        ("in_stock=true&category=odd&max_price=5", [1, 5]),
    ],
)
async def test_the_filters_are_those_of_the_list(
    client: httpx2.AsyncClient, connection: Any, query: str, expected: list[int]
) -> None:
    await fill(connection, 12)
    found = goods_of(await client.get(f"/goods/export?format=ndjson&{query}"))
    listed = (await client.get(f"/goods?{query}")).json()["items"]
    assert [good["id"] for good in found] == expected
    assert found == listed


async def test_the_filters_hold_on_every_page(client: httpx2.AsyncClient, connection: Any) -> None:
    await fill(connection, 5 * PAGE)
    found = goods_of(await client.get("/goods/export?format=ndjson&category=odd&in_stock=true"))
    assert [good["id"] for good in found] == [n for n in range(1, 5 * PAGE + 1) if n % 2 and n % 3]


async def test_what_a_search_finds_is_exported_whole(client: httpx2.AsyncClient, connection: Any) -> None:
    await fill(connection, 2 * PAGE + 1)
    found = goods_of(await client.get("/goods/export?format=ndjson&q=good"))
    assert sorted(good["id"] for good in found) == list(range(1, 2 * PAGE + 2))


@pytest.mark.parametrize(
    ("query", "place"),
    [
        *((f"{name}=1", name) for name in ("limit", "after", "count", "sort", "offset")),
        *(
            ("format=xml", "format"),
            ("format=CSV", "format"),
            ("format=", "format"),
            ("format=csv&format=csv", "format"),
        ),
        *(("min_price=1.234", "min_price"), ("in_stock=1", "in_stock"), ("category=%00", "category")),
    ],
)
async def test_what_it_does_not_know_is_refused(client: httpx2.AsyncClient, query: str, place: str) -> None:
    errors = assert_problem(await client.get(f"/goods/export?{query}"), 422, "invalid-input")
    assert places(errors) == [place]


async def test_the_filters_are_described_as_those_of_the_list(client: httpx2.AsyncClient) -> None:
    paths = (await client.get("/openapi.json")).json()["paths"]
    export, listed = (
        {parameter["name"]: parameter for parameter in paths[path]["get"]["parameters"]}
        for path in ("/goods/export", "/goods")
    )
    assert export.pop("format")["schema"]["enum"] == ["csv", "ndjson"]
    for name in ("limit", "after", "count", "sort"):
        listed.pop(name)
    assert export == listed


async def test_head_says_what_get_would(client: httpx2.AsyncClient) -> None:
    await create(client)
    got, head = await client.get("/goods/export"), await client.head("/goods/export/")
    assert (head.status_code, head.content) == (200, b"")
    assert set(got.headers) - set(head.headers) == {"transfer-encoding"}
    assert {name: head.headers[name] for name in ("content-type", "goods-csv-escape")} == {
        name: got.headers[name] for name in ("content-type", "goods-csv-escape")
    }
    assert "content-length" not in head.headers  # nobody knows it


async def test_the_connection_serves_on_after_an_export(client: httpx2.AsyncClient, connection: Any) -> None:
    await fill(connection, 2 * PAGE)
    whole = await client.get("/goods/export")
    assert len(_rows(whole)) == 2 * PAGE
    assert "connection" not in whole.headers
    assert (await client.get("/goods/1")).status_code == 200


@pytest.mark.parametrize("form", ["csv", "ndjson"])
async def test_what_postgresql_writes_is_what_python_would(
    client: httpx2.AsyncClient, connection: Any, form: Literal["csv", "ndjson"]
) -> None:
    """Lists are written by PostgreSQL and searches by Python; nobody may see which."""
    odd = [
        f"{before}{sign}{after}" for sign in "=+-@'\t\r\n\"\\,; é🏮" for before, after in product(("", "a"), ("", "b"))
    ]
    for n, text in enumerate(odd):
        good = {"sku": f"S{n}", "name": text if text.strip() else f"{text}x", "description": text, "category": text[:2]}
        answer = await client.post("/goods", json={**good, "price": n / 4, "stock": n})
        assert answer.status_code == 201, (text, answer.text)
    documents = [row[0] for row in await connection.fetch(f"SELECT {document('g')}::text FROM goods g ORDER BY id")]
    exported = await client.get("/goods/export", params={"format": form})
    assert exported.content == FORMATS[form].head + FORMATS[form].write(documents)
