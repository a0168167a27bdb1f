"""POST /goods: what is created, what is answered, and what is written beside it."""

import asyncio
import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx2
import pytest

from tests.api.support import (
    FIELDS,
    MOMENT,
    assert_problem,
    changes,
    counted,
    create,
    everything,
    movements,
    places,
    read,
)

WHOLE = {
    "sku": "LAN-0012",
    "name": "Storm lantern",
    "description": "Brass, burns lamp oil.",
    "category": "Lighting",
    "price": "24.90",
    "stock": 12,
}


async def test_a_new_good_is_answered_with_its_address_and_entity_tag(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/goods", json=WHOLE)
    good = answer.json()
    assert answer.status_code == 201
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["location"] == f"/goods/{good['id']}"
    assert answer.headers["etag"] == f'"{good["id"]}-1"'
    followed = await client.get(answer.headers["location"])
    assert followed.text == answer.text
    assert followed.headers["etag"] == answer.headers["etag"]


async def test_the_body_has_exactly_the_fields_of_the_contract(client: httpx2.AsyncClient) -> None:
    before = datetime.now(UTC)
    good = await create(client, **WHOLE)
    after = datetime.now(UTC)
    assert set(good) == FIELDS
    assert {name: good[name] for name in WHOLE} == WHOLE
    assert type(good["id"]) is int
    assert type(good["stock"]) is int
    assert good["version"] == 1
    assert MOMENT.fullmatch(good["created_at"])
    assert good["updated_at"] == good["created_at"]
    assert before <= datetime.fromisoformat(good["created_at"]) <= after


async def test_what_is_left_out_takes_its_default(client: httpx2.AsyncClient) -> None:
    good = await create(client, name="Wick", price=1)
    assert (good["description"], good["category"], good["stock"]) == ("", "", 0)
    assert re.fullmatch(r"[0-9A-Z-]{1,64}", good["sku"])
    found = await client.get(f"/goods/by-sku/{good['sku']}")
    assert found.json() == good


async def test_given_skus_differ(client: httpx2.AsyncClient) -> None:
    made = await asyncio.gather(*(create(client) for _ in range(50)))
    assert len({good["sku"] for good in made}) == 50


@pytest.mark.parametrize(
    ("sent", "answered"),
    [
        ("0", "0.00"),
        ("0.1", "0.10"),
        ("007.50", "7.50"),
        ("9999999999.99", "9999999999.99"),
    ],
)
async def test_a_price_may_be_a_text(client: httpx2.AsyncClient, sent: str, answered: str) -> None:
    assert (await create(client, price=sent))["price"] == answered


@pytest.mark.parametrize(
    ("number", "answered"),
    [
        ("0", "0.00"),
        ("-0.0", "0.00"),
        ("0.1", "0.10"),
        ("1e2", "100.00"),
        ("1E-2", "0.01"),
        ("19.99", "19.99"),
        ("1.015e3", "1015.00"),
        ("9999999999.99", "9999999999.99"),
        ("8999999999.97", "8999999999.97"),
    ],
)
async def test_a_price_may_be_a_number_and_is_never_a_float(
    client: httpx2.AsyncClient, number: str, answered: str
) -> None:
    answer = await _post(client, f'{{"name":"Wick","price":{number}}}')
    assert answer.status_code == 201
    assert answer.json()["price"] == answered
    assert Decimal(answer.json()["price"]) == abs(Decimal(number))


@pytest.mark.parametrize(
    "price",
    [
        "-0.01", "1.005", "0.001", "10000000000", "9999999999.995", "1e10", "1e999999", "1e-999999", '"1e2"', '"1,50"',
        '" 1"', '"+1"', '"-0"', '"NaN"', '"Infinity"', '""', '"1."', '".5"', '"\u0661"', "true", "null", "[]", "{}",
        "1.000",
    ],
)  # fmt: skip
async def test_a_price_that_would_need_rounding_or_is_none_is_refused(client: httpx2.AsyncClient, price: str) -> None:
    answer = await _post(client, f'{{"name":"Wick","price":{price}}}')
    assert places(assert_problem(answer, 422, "invalid-input")) == ["#/price"]


@pytest.mark.parametrize("number", ["1e1000000000000000000", "1e-9999999999999999999", "1" * 5000])
async def test_a_number_beyond_every_reader_is_no_json(client: httpx2.AsyncClient, number: str) -> None:
    answer = await _post(client, f'{{"name":"Wick","price":{number}}}')
    assert_problem(answer, 400, "malformed-json")


@pytest.mark.parametrize("stock", ["0", "2147483647", "5.0", "1e3"])
async def test_stock_is_a_whole_number(client: httpx2.AsyncClient, stock: str) -> None:
    answer = await _post(client, f'{{"name":"Wick","price":1,"stock":{stock}}}')
    assert answer.status_code == 201
    assert answer.json()["stock"] == Decimal(stock)


@pytest.mark.parametrize(
    "stock", ["-1", "2147483648", "1.5", '"5"', "true", "null", "1e999999", "9" * 4000, "[1]"]
)  # fmt: skip
async def test_stock_that_is_no_number_of_pieces_is_refused(client: httpx2.AsyncClient, stock: str) -> None:
    answer = await _post(client, f'{{"name":"Wick","price":1,"stock":{stock}}}')
    assert places(assert_problem(answer, 422, "invalid-input")) == ["#/stock"]


@pytest.mark.parametrize(
    "sku",
    ["A", "a b", "A/B/C", "10%", "ключ-7", "日本/灯", "x" * 64, "🏮" * 64, "....", "a..b", "?#&=;+,", 'quo"te', "a\\b"],
)
async def test_a_sku_is_kept_as_it_came(client: httpx2.AsyncClient, sku: str) -> None:
    assert (await create(client, sku=sku))["sku"] == sku


async def test_a_sku_is_trimmed(client: httpx2.AsyncClient) -> None:
    assert (await create(client, sku=" \tLAN-1 \n"))["sku"] == "LAN-1"


@pytest.mark.parametrize(
    "sku",
    [
        "", " ", "x" * 65, "/A", "A/", "A//B", "/", ".", "..", "A/../B", "./A", "A/.", "a\nb", "a\tb", "a\x00b",
        "a\u200bb", "\ud800", 5, None, [],
    ],
)  # fmt: skip
async def test_a_sku_that_could_not_be_a_path_is_refused(client: httpx2.AsyncClient, sku: object) -> None:
    answer = await _post(client, json.dumps({"name": "Wick", "price": "1", "sku": sku}))
    assert places(assert_problem(answer, 422, "invalid-input")) == ["#/sku"]


@pytest.mark.parametrize(("field", "longest"), [("name", 200), ("description", 10_000), ("category", 100)])
async def test_texts_are_counted_in_characters(client: httpx2.AsyncClient, field: str, longest: int) -> None:
    good = await create(client, **{field: "🏮" * longest})
    assert good[field] == "🏮" * longest
    answer = await client.post("/goods", json={"name": "Wick", "price": "1", field: "x" * (longest + 1)})
    (error,) = assert_problem(answer, 422, "invalid-input")
    assert error["pointer"] == f"#/{field}"
    assert "character" in error["detail"]


@pytest.mark.parametrize("field", ["name", "description", "category"])
@pytest.mark.parametrize("text", ["a\x00b", "\ud800", 5, None, ["x"], {"x": 1}])
async def test_a_text_that_can_not_be_stored_is_refused(client: httpx2.AsyncClient, field: str, text: object) -> None:
    answer = await _post(client, json.dumps({"name": "Wick", "price": "1", field: text}))
    assert places(assert_problem(answer, 422, "invalid-input")) == [f"#/{field}"]


async def test_every_fault_is_named_at_once_and_no_value_is_repeated(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/goods", json={"name": "", "stock": "hunter2", "price": "hunter2", "a/b~c": "hunter2"})
    errors = assert_problem(answer, 422, "invalid-input")
    assert places(errors) == ["#/a~1b~0c", "#/name", "#/price", "#/stock"]
    assert "hunter2" not in answer.text


async def test_name_and_price_are_required(client: httpx2.AsyncClient) -> None:
    errors = assert_problem(await client.post("/goods", json={}), 422, "invalid-input")
    assert errors == [
        {"pointer": "#/name", "detail": "is required"},
        {"pointer": "#/price", "detail": "is required"},
    ]


@pytest.mark.parametrize("field", ["id", "version", "created_at", "updated_at", "colour", "Name", ""])
async def test_a_field_that_a_new_good_can_not_have_is_refused(
    client: httpx2.AsyncClient, connection: Any, field: str
) -> None:
    answer = await client.post("/goods", json={**WHOLE, field: 1})
    assert places(assert_problem(answer, 422, "invalid-input")) == [f"#/{field}"]
    assert await connection.fetchval("SELECT count(*) FROM goods") == 0


@pytest.mark.parametrize("body", ["null", "[]", '"text"', "5", "[{}]"])
async def test_a_body_that_is_no_object_is_refused(client: httpx2.AsyncClient, body: str) -> None:
    assert places(assert_problem(await _post(client, body), 422, "invalid-input")) == ["#"]


async def test_a_taken_sku_changes_nothing(client: httpx2.AsyncClient, connection: Any) -> None:
    good = await create(client, **WHOLE)
    before = await everything(connection)
    created = await counted(client, "goods_created_total")
    conflicts = await counted(client, "goods_operations_total", operation="create", result="conflict")
    answer = await client.post("/goods", json={**WHOLE, "sku": " LAN-0012 ", "name": "Another", "stock": 5})
    assert places(assert_problem(answer, 409, "sku-taken")) == ["#/sku"]
    assert await everything(connection) == before
    assert await read(client, good["id"]) == good
    assert await counted(client, "goods_created_total") == created
    assert await counted(client, "goods_operations_total", operation="create", result="conflict") == conflicts + 1


async def test_skus_that_differ_in_case_are_two(client: httpx2.AsyncClient) -> None:
    first, second = await create(client, sku="lan-1"), await create(client, sku="LAN-1")
    assert first["id"] != second["id"]


async def test_of_many_clients_one_gets_the_sku(client: httpx2.AsyncClient, connection: Any) -> None:
    answers = await asyncio.gather(*(client.post("/goods", json=WHOLE) for _ in range(32)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 31
    assert await connection.fetchval("SELECT count(*) FROM goods") == 1
    assert await connection.fetchval("SELECT count(*) FROM changes") == 1
    assert await connection.fetchval("SELECT count(*) FROM stock_movements") == 1


async def test_the_first_stock_is_a_movement(client: httpx2.AsyncClient, connection: Any) -> None:
    good = await create(client, stock=12)
    (movement,) = await movements(connection, good["id"])
    written = {key: value for key, value in dict(movement).items() if key not in ("id", "created_at")}
    assert written == {
        "goods_id": good["id"],
        "goods_version": 1,
        "delta": 12,
        "balance": 12,
        "reason": "initial",
        "reference": "",
        "actor": "anonymous",
    }
    assert movement["created_at"] == datetime.fromisoformat(good["created_at"])


async def test_no_stock_is_no_movement(client: httpx2.AsyncClient, connection: Any) -> None:
    good = await create(client, stock=0)
    assert await movements(connection, good["id"]) == []


async def test_a_creation_is_a_change(client: httpx2.AsyncClient, connection: Any) -> None:
    answer = await client.post("/goods", json=WHOLE, headers={"X-Request-ID": "order-66"})
    good = answer.json()
    (change,) = await changes(connection, good["id"])
    assert (change["operation"], change["version"], change["sku"]) == ("create", 1, "LAN-0012")
    assert change["before"] is None
    assert change["after"] == good
    assert (change["actor"], change["request_id"]) == ("anonymous", "order-66")
    assert change["at"] == datetime.fromisoformat(good["created_at"])


async def test_creations_are_counted(client: httpx2.AsyncClient) -> None:
    before = await counted(client, "goods_created_total")
    await create(client)
    await create(client)
    assert await counted(client, "goods_created_total") == before + 2


async def _post(client: httpx2.AsyncClient, text: str) -> httpx2.Response:
    return await client.post("/goods", content=text, headers={"Content-Type": "application/json"})
