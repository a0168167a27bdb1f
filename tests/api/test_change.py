"""PUT, PATCH and DELETE: what changes, what stays, and what is written beside it."""

import json
from datetime import datetime
from typing import Any

import httpx2
import pytest

from tests.api.support import FIELDS, assert_problem, changes, counted, create, movements, places, read

WHOLE: dict[str, Any] = {
    "sku": "LAN-0012",
    "name": "Storm lantern",
    "description": "Brass, burns lamp oil.",
    "category": "Lighting",
    "price": "24.90",
    "stock": 12,
}
MERGE_PATCH = {"Content-Type": "application/merge-patch+json"}


async def test_put_replaces_and_leaves_sku_and_stock(client: httpx2.AsyncClient) -> None:
    good = await create(client, **WHOLE)
    answer = await client.put(f"/goods/{good['id']}", json={"name": "Wick", "price": 2})
    changed = answer.json()
    assert answer.status_code == 200
    assert answer.headers["etag"] == f'"{good["id"]}-2"'
    assert "location" not in answer.headers
    assert set(changed) == FIELDS
    replaced = {"name": "Wick", "description": "", "category": "", "price": "2.00", "version": 2}
    assert changed == {**good, **replaced, "updated_at": changed["updated_at"]}
    assert changed["updated_at"] > changed["created_at"]
    assert await read(client, good["id"]) == changed


async def test_put_changes_sku_and_stock_that_are_given(client: httpx2.AsyncClient) -> None:
    good = await create(client, **WHOLE)
    answer = await client.put(f"/goods/{good['id']}", json={**WHOLE, "sku": "A/B", "stock": 0})
    assert (answer.json()["sku"], answer.json()["stock"]) == ("A/B", 0)
    assert (await client.get("/goods/by-sku/A/B")).json() == answer.json()
    assert_problem(await client.get("/goods/by-sku/LAN-0012"), 404, "goods-not-found")


async def test_put_never_creates(client: httpx2.AsyncClient, connection: Any) -> None:
    assert_problem(await client.put("/goods/5", json=WHOLE), 404, "goods-not-found")
    assert await connection.fetchval("SELECT count(*) FROM goods") == 0
    assert await connection.fetchval("SELECT count(*) FROM changes") == 0


@pytest.mark.parametrize("missing", ["name", "price"])
async def test_put_requires_name_and_price(client: httpx2.AsyncClient, missing: str) -> None:
    good = await create(client, **WHOLE)
    body = {key: value for key, value in WHOLE.items() if key != missing}
    errors = assert_problem(await client.put(f"/goods/{good['id']}", json=body), 422, "invalid-input")
    assert errors == [{"pointer": f"#/{missing}", "detail": "is required"}]


@pytest.mark.parametrize("field", ["sku", "name", "description", "category", "price", "stock", "version", "id"])
async def test_put_knows_no_null(client: httpx2.AsyncClient, field: str) -> None:
    good = await create(client, **WHOLE)
    answer = await client.put(f"/goods/{good['id']}", json={**WHOLE, field: None})
    assert places(assert_problem(answer, 422, "invalid-input")) == [f"#/{field}"]


@pytest.mark.parametrize("media_type", ["application/merge-patch+json", "application/json", "Application/JSON; a=b"])
async def test_patch_changes_what_is_given(client: httpx2.AsyncClient, media_type: str) -> None:
    good = await create(client, **WHOLE)
    answer = await client.patch(f"/goods/{good['id']}", content='{"price": 19.5}', headers={"Content-Type": media_type})
    assert answer.status_code == 200
    assert answer.headers["etag"] == f'"{good["id"]}-2"'
    changed = answer.json()
    assert changed == {**good, "price": "19.50", "version": 2, "updated_at": changed["updated_at"]}
    assert await read(client, good["id"]) == changed


@pytest.mark.parametrize("media_type", ["text/plain", "application/json-patch+json", "", "application/xml"])
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_another_media_type_is_refused(client: httpx2.AsyncClient, method: str, media_type: str) -> None:
    good = await create(client, **WHOLE)
    answer = await client.request(
        method, f"/goods/{good['id']}", content=json.dumps(WHOLE), headers={"Content-Type": media_type}
    )
    assert_problem(answer, 415, "unsupported-media-type")


async def test_put_takes_no_merge_patch(client: httpx2.AsyncClient) -> None:
    answer = await client.put("/goods/1", content=json.dumps(WHOLE), headers=MERGE_PATCH)
    assert_problem(answer, 415, "unsupported-media-type")


@pytest.mark.parametrize("field", ["description", "category"])
async def test_null_empties_an_optional_text(client: httpx2.AsyncClient, field: str) -> None:
    good = await create(client, **WHOLE)
    changed = (await client.patch(f"/goods/{good['id']}", json={field: None}, headers=MERGE_PATCH)).json()
    assert changed == {**good, field: "", "version": 2, "updated_at": changed["updated_at"]}


@pytest.mark.parametrize("field", ["name", "price", "sku", "stock", "id", "version", "created_at", "updated_at"])
async def test_null_is_refused_where_there_must_be_a_value(client: httpx2.AsyncClient, field: str) -> None:
    good = await create(client, **WHOLE)
    answer = await client.patch(f"/goods/{good['id']}", json={field: None, "description": "new"})
    assert assert_problem(answer, 422, "invalid-input") == [{"pointer": f"#/{field}", "detail": "must not be null"}]
    assert await read(client, good["id"]) == good


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""), ("name", 5), ("price", "1.005"), ("price", -1), ("stock", -1), ("stock", 2**31), ("sku", "a//b"),
        ("category", "x" * 101), ("description", ["x"]), ("created_at", "yesterday"), ("created_at", 5),
        ("updated_at", "2026-01-01T00:00:00"), ("created_at", "0001-01-01T00:00:00+14:00"), ("id", "1"),
        ("version", 1.5), ("version", "1"), ("colour", 1),
    ],
)  # fmt: skip
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_a_bad_value_is_named_by_its_field_alone(
    client: httpx2.AsyncClient, method: str, field: str, value: object
) -> None:
    good = await create(client, **WHOLE)
    answer = await client.request(method, f"/goods/{good['id']}", json={**WHOLE, field: value})
    (error,) = assert_problem(answer, 422, "invalid-input")
    assert error["pointer"] == f"#/{field}"
    assert await read(client, good["id"]) == good


async def test_a_change_moves_what_it_must_and_nothing_else(client: httpx2.AsyncClient, connection: Any) -> None:
    good = await create(client, **WHOLE)
    other = await create(client)
    updated = await counted(client, "goods_updated_total")
    answer = await client.patch(f"/goods/{good['id']}", json={"name": "Wick"}, headers={"X-Request-ID": "rename-1"})
    assert await read(client, other["id"]) == other
    first, second = await changes(connection, good["id"])
    assert first["seq"] < second["seq"]
    assert (second["operation"], second["version"], second["sku"]) == ("update", 2, "LAN-0012")
    assert (second["before"], second["after"]) == (good, answer.json())
    assert (second["actor"], second["request_id"]) == ("anonymous", "rename-1")
    assert second["at"] == datetime.fromisoformat(answer.json()["updated_at"])
    assert len(await movements(connection, good["id"])) == 1
    assert await counted(client, "goods_updated_total") == updated + 1


@pytest.mark.parametrize(("stock", "delta"), [(20, 8), (0, -12), (2_147_483_647, 2_147_483_635)])
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_stock_that_is_set_is_a_count_in_the_ledger(
    client: httpx2.AsyncClient, connection: Any, method: str, stock: int, delta: int
) -> None:
    good = await create(client, **WHOLE)
    answer = await client.request(method, f"/goods/{good['id']}", json={**WHOLE, "stock": stock})
    assert answer.json()["stock"] == stock
    initial, movement = await movements(connection, good["id"])
    assert initial["reason"] == "initial"
    assert (movement["reason"], movement["delta"], movement["balance"]) == ("count", delta, stock)
    assert (movement["goods_version"], movement["actor"]) == (2, "anonymous")
    assert movement["created_at"] == datetime.fromisoformat(answer.json()["updated_at"])


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": "Storm lantern"},
        {"price": 24.9},
        {"price": "24.9", "stock": 12},
        {"sku": " LAN-0012 "},
        {"version": 1},
        WHOLE,
    ],
)
async def test_a_patch_without_effect_leaves_no_trace(
    client: httpx2.AsyncClient, connection: Any, body: dict[str, Any]
) -> None:
    good = await create(client, **WHOLE)
    await _assert_no_trace(client, connection, good, "PATCH", body, operation="patch")


async def test_what_get_gave_can_be_put_back_without_effect(client: httpx2.AsyncClient, connection: Any) -> None:
    good = await create(client, **WHOLE)
    await _assert_no_trace(client, connection, good, "PUT", await read(client, good["id"]), operation="replace")
    changed = {**good, "name": "Wick"}
    assert (await client.put(f"/goods/{good['id']}", json=changed)).json()["version"] == 2


async def test_other_spellings_of_a_read_only_moment_are_equal(client: httpx2.AsyncClient) -> None:
    good = await create(client, **WHOLE)
    same = good["created_at"].replace("Z", "+00:00")
    answer = await client.patch(f"/goods/{good['id']}", json={"created_at": same, "name": "Wick"})
    assert answer.json()["version"] == 2


@pytest.mark.parametrize("version", [2, 0, -1, 2**63 - 1, 2**63, -(2**63) - 1, 10**100])
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_another_version_in_the_body_is_a_conflict(client: httpx2.AsyncClient, method: str, version: int) -> None:
    good = await create(client, **WHOLE)
    answer = await client.request(method, f"/goods/{good['id']}", json={**WHOLE, "name": "New", "version": version})
    assert places(assert_problem(answer, 409, "version-conflict")) == ["#/version"]
    assert await read(client, good["id"]) == good


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", 0), ("id", 10**100), ("created_at", "2020-01-01T00:00:00Z"), ("updated_at", "2020-01-01T00:00:00Z"),
        ("updated_at", "9999-12-31T23:59:59.999999Z"), ("created_at", "0001-01-01T00:00:00Z"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_another_value_of_a_read_only_field_is_invalid(
    client: httpx2.AsyncClient, method: str, field: str, value: object
) -> None:
    good = await create(client, **WHOLE)
    answer = await client.request(method, f"/goods/{good['id']}", json={**WHOLE, "name": "New", field: value})
    assert places(assert_problem(answer, 422, "invalid-input")) == [f"#/{field}"]
    assert await read(client, good["id"]) == good


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_a_sku_can_not_be_taken_from_another_good(
    client: httpx2.AsyncClient, connection: Any, method: str
) -> None:
    await create(client, sku="TAKEN")
    good = await create(client, **WHOLE)
    updated = await counted(client, "goods_updated_total")
    answer = await client.request(method, f"/goods/{good['id']}", json={**WHOLE, "stock": 5, "sku": "TAKEN"})
    assert_problem(answer, 409, "sku-taken")
    assert await read(client, good["id"]) == good
    assert len(await changes(connection, good["id"])) == 1
    assert len(await movements(connection, good["id"])) == 1
    assert await counted(client, "goods_updated_total") == updated


async def _assert_no_trace(
    client: httpx2.AsyncClient,
    connection: Any,
    good: dict[str, Any],
    method: str,
    body: dict[str, Any],
    *,
    operation: str,
) -> None:
    labels = {"operation": operation, "result": "unchanged"}
    unchanged = await counted(client, "goods_operations_total", **labels)
    updated = await counted(client, "goods_updated_total")
    answer = await client.request(method, f"/goods/{good['id']}", json=body)
    assert answer.status_code == 200
    assert answer.headers["etag"] == f'"{good["id"]}-1"'
    assert answer.json() == good
    assert await read(client, good["id"]) == good
    assert len(await changes(connection, good["id"])) == 1
    assert len(await movements(connection, good["id"])) == 1
    assert await counted(client, "goods_updated_total") == updated
    assert await counted(client, "goods_operations_total", **labels) == unchanged + 1
