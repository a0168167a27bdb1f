"""GET and HEAD of one good: addresses, entity tags, and what is no good."""

import asyncio
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from pydantic import TypeAdapter

from app.goods.schemas.goods import GoodsRead
from tests.api.support import assert_problem, counted, create, places, read

HUGE = ["0", "-1", "-0", "9223372036854775807", "9223372036854775808", "9" * 40, "-" + "9" * 40, "9" * 5000]


async def test_a_good_is_read_by_its_id(client: httpx2.AsyncClient) -> None:
    good = await create(client, stock=3)
    answer = await client.get(f"/goods/{good['id']}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["etag"] == f'"{good["id"]}-1"'
    assert answer.json() == good


async def test_what_is_served_is_what_the_schema_says(client: httpx2.AsyncClient) -> None:
    good = await create(client, name='"quoted" \\ \u2028 🏮', description="a\nb\t\x01", category="Свет", price="0.5")
    answer = await client.get(f"/goods/{good['id']}")
    assert list(answer.json()) == list(GoodsRead.model_fields)
    # JSON's types are compared too: validated strictly, and written again by the model, it is the same text.
    parsed = GoodsRead.model_validate_json(answer.text)
    again = parsed.model_dump(mode="json")
    for field in ("created_at", "updated_at"):
        again[field] = getattr(parsed, field).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert again == answer.json() == good
    assert good["name"] == '"quoted" \\ \u2028 🏮'


@pytest.mark.parametrize(
    "sku",
    [
        "LAN-0012",
        "KT/INS/114",
        "a b",
        "50%",
        "%2F",
        "%252F",
        "a?b#c",
        "ключ/7",
        "日本",
        "🏮",
        "a+b",
        "a;b=c",
        "1",
        "a..b",
    ],
)
@pytest.mark.parametrize("safe", ["/", ""], ids=["slashes", "encoded"])
async def test_a_good_is_read_by_its_sku(client: httpx2.AsyncClient, sku: str, safe: str) -> None:
    good = await create(client, sku=sku)
    answer = await client.get(f"/goods/by-sku/{quote(sku, safe=safe)}")
    assert answer.status_code == 200
    assert answer.json() == good
    assert answer.headers["etag"] == f'"{good["id"]}-1"'


async def test_the_service_decodes_a_path_once(client: httpx2.AsyncClient) -> None:
    await create(client, sku="A/B")
    assert (await client.get("/goods/by-sku/A%2FB")).json()["sku"] == "A/B"
    assert_problem(await client.get("/goods/by-sku/A%252FB"), 404, "goods-not-found")


async def test_skus_are_case_sensitive(client: httpx2.AsyncClient) -> None:
    await create(client, sku="LAN-1")
    assert_problem(await client.get("/goods/by-sku/lan-1"), 404, "goods-not-found")


@pytest.mark.parametrize("sku", ["x" * 65, "a//b", "%2E%2E", "a%00b", "a%01", "%ED%A0%80", "%FF", "%80abc"])
async def test_what_no_sku_can_be_is_invalid(client: httpx2.AsyncClient, sku: str) -> None:
    assert_problem(await client.get(f"/goods/by-sku/{sku}"), 422, "invalid-input")


@pytest.mark.parametrize(
    "text", ["abc", "1_0", "+1", "%2B1", "1.0", "1e3", "0x1", "-", "--1", "%D9%A1", "1%20", "1%0A"]
)
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
async def test_an_id_that_is_no_integer_is_invalid(client: httpx2.AsyncClient, method: str, text: str) -> None:
    errors = assert_problem(await _call(client, method, text), 422, "invalid-input")
    assert places(errors) == ["goods_id"]


@pytest.mark.parametrize("text", HUGE, ids=range(len(HUGE)))
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
async def test_an_id_that_no_good_has_is_not_found(client: httpx2.AsyncClient, method: str, text: str) -> None:
    await create(client)
    assert_problem(await _call(client, method, text), 404, "goods-not-found")


async def test_a_sku_that_no_good_has_is_not_found(client: httpx2.AsyncClient) -> None:
    assert_problem(await client.get("/goods/by-sku/NONE"), 404, "goods-not-found")


@pytest.mark.parametrize(
    "header",
    [
        '"{tag}"',
        'W/"{tag}"',
        '"other", "{tag}"',
        '"other" ,W/"9-9","{tag}"',
        '"a,b", "{tag}"',
        "*",
    ],
)
async def test_what_the_caller_has_already_is_not_sent_again(client: httpx2.AsyncClient, header: str) -> None:
    good = await create(client, sku="A/B")
    for path in (f"/goods/{good['id']}", "/goods/by-sku/A/B"):
        for method in ("GET", "HEAD"):
            tags = {"If-None-Match": header.format(tag=f"{good['id']}-1")}
            answer = await client.request(method, path, headers=tags)
            assert answer.status_code == 304
            assert answer.headers["etag"] == f'"{good["id"]}-1"'
            assert answer.content == b""
            assert "content-type" not in answer.headers


@pytest.mark.parametrize(
    "header", ['"{id}-2"', '"0{id}-1"', '"{id}-01"', "{id}-1", '"{id}-1', '""', "", "garbage", ","]
)
async def test_what_the_caller_has_not_is_sent(client: httpx2.AsyncClient, header: str) -> None:
    good = await create(client)
    answer = await client.get(f"/goods/{good['id']}", headers={"If-None-Match": header.format(id=good["id"])})
    assert answer.status_code == 200
    assert answer.json() == good


async def test_several_lines_of_a_header_are_one_list(client: httpx2.AsyncClient) -> None:
    good = await create(client)
    lines = [("If-None-Match", '"7-7"'), ("If-None-Match", f'"{good["id"]}-1"')]
    answer = await client.get(f"/goods/{good['id']}", headers=lines)
    assert answer.status_code == 304


async def test_a_change_makes_another_entity_tag(client: httpx2.AsyncClient) -> None:
    good = await create(client)
    seen = {"If-None-Match": f'"{good["id"]}-1"'}
    await client.patch(f"/goods/{good['id']}", json={"name": "Wick"})
    answer = await client.get(f"/goods/{good['id']}", headers=seen)
    assert (answer.status_code, answer.headers["etag"]) == (200, f'"{good["id"]}-2"')


@pytest.mark.parametrize(
    "path", ["/goods/{id}?x=1", "/goods/by-sku/A?sku=A", "/goods/{id}?=", "/goods/{id}?a=1&a=2", "/goods/{id}?%FF"]
)
async def test_a_query_that_the_path_does_not_know_is_refused(client: httpx2.AsyncClient, path: str) -> None:
    good = await create(client, sku="A")
    assert_problem(await client.get(path.format(id=good["id"])), 422, "invalid-input")


async def test_a_write_is_seen_by_every_read_after_it(client: httpx2.AsyncClient) -> None:
    """Reads share queries; none may answer with what was there before an acknowledged write."""
    good = await create(client)
    noise = asyncio.create_task(_read_on(client, good["id"]))
    for n in range(50):
        await client.patch(f"/goods/{good['id']}", json={"name": f"Name {n}"})
        answers = await asyncio.gather(*(read(client, good["id"]) for _ in range(4)))
        assert {answer["name"] for answer in answers} == {f"Name {n}"}
    noise.cancel()
    await asyncio.gather(noise, return_exceptions=True)


async def test_concurrent_reads_each_get_their_own_good(client: httpx2.AsyncClient) -> None:
    goods = await asyncio.gather(*(create(client, sku=f"S/{n}") for n in range(40)))
    wanted = [good for good in goods for _ in range(3)]
    by_id = [client.get(f"/goods/{good['id']}") for good in wanted]
    by_sku = [client.get(f"/goods/by-sku/{good['sku']}") for good in wanted]
    answers = await asyncio.gather(*by_id, *by_sku)
    assert [answer.json() for answer in answers] == [*wanted, *wanted]


async def test_reads_are_counted_by_how_they_ended(client: httpx2.AsyncClient) -> None:
    good = await create(client)
    ok = await counted(client, "goods_operations_total", operation="read", result="ok")
    missing = await counted(client, "goods_operations_total", operation="read", result="not_found")
    await client.get(f"/goods/{good['id']}")
    await client.get("/goods/by-sku/NONE")
    await client.get("/goods/0")
    assert await counted(client, "goods_operations_total", operation="read", result="ok") == ok + 1
    assert await counted(client, "goods_operations_total", operation="read", result="not_found") == missing + 2


def test_the_schema_of_a_good_is_strict_about_its_moments() -> None:
    schema = TypeAdapter(GoodsRead).json_schema()
    assert schema["properties"]["created_at"]["format"] == "date-time"
    assert set(schema["required"]) == set(GoodsRead.model_fields)


async def _call(client: httpx2.AsyncClient, method: str, goods_id: str) -> httpx2.Response:
    body: Any = {"name": "Wick", "price": "1"} if method in ("PUT", "PATCH") else None
    return await client.request(method, f"/goods/{goods_id}", json=body)


async def _read_on(client: httpx2.AsyncClient, goods_id: int) -> None:
    while True:
        await client.get(f"/goods/{goods_id}")
