"""A request that is sent again with its key has one effect and one answer."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from tests.api.support import assert_problem, changes, counted, create

_GOOD = {"sku": "L-1", "name": "Lantern", "price": "2.50", "stock": 3}
_KEY = {"Idempotency-Key": "order-1"}


@pytest.fixture(autouse=True)
async def no_records(connection: Any) -> AsyncIterator[None]:
    await connection.execute("TRUNCATE idempotency_records")  # other tests leave theirs
    yield
    await connection.execute("TRUNCATE idempotency_records")


def as_first(answer: httpx2.Response) -> tuple[Any, ...]:
    """What of an answer must not differ between the first time and a replay."""
    names = ("etag", "location", "content-type")
    return answer.status_code, answer.content, {name: answer.headers.get(name) for name in names}


async def test_a_create_is_done_once_and_answered_alike(client: httpx2.AsyncClient) -> None:
    replays = await counted(client, "goods_idempotent_replays_total")
    first = await client.post("/goods", json=_GOOD, headers=_KEY)
    assert first.status_code == 201
    assert "idempotency-replayed" not in first.headers
    again = await client.post("/goods", json=_GOOD, headers=_KEY)
    assert as_first(again) == as_first(first)
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["x-request-id"] != first.headers["x-request-id"]
    assert len((await client.get("/goods")).json()["items"]) == 1
    assert await counted(client, "goods_idempotent_replays_total") == replays + 1


@pytest.mark.parametrize("patch", [{"price": "9.00"}, {"name": "Storm lantern"}])
async def test_a_patch_is_answered_alike_with_and_without_effect(
    client: httpx2.AsyncClient, patch: dict[str, str]
) -> None:
    good = await create(client)
    path = f"/goods/{good['id']}"
    first = await client.patch(path, json=patch, headers=_KEY)
    assert first.status_code == 200
    await client.patch(path, json={"price": "1.00"})
    again = await client.patch(path, json=patch, headers=_KEY)
    assert as_first(again) == as_first(first)
    assert again.headers["idempotency-replayed"] == "true"
    assert (await client.get(path)).json()["price"] == "1.00"


async def test_the_key_comes_before_conditions_and_rules(client: httpx2.AsyncClient) -> None:
    """What the first attempt was judged by is over: the retry is not judged again."""
    good = await create(client)
    path, headers = f"/goods/{good['id']}", {**_KEY, "If-Match": f'"{good["id"]}-1"'}
    first = await client.patch(path, json={"price": "9.00"}, headers=headers)
    assert first.status_code == 200
    again = await client.patch(path, json={"price": "9.00"}, headers=headers)
    assert as_first(again) == as_first(first)
    await client.delete(path)
    gone = await client.patch(path, json={"price": "9.00"}, headers=headers)
    assert as_first(gone) == as_first(first)


async def test_another_body_or_query_is_refused(client: httpx2.AsyncClient) -> None:
    assert (await client.post("/goods", json=_GOOD, headers=_KEY)).status_code == 201
    answer = await client.post("/goods", json={**_GOOD, "price": "3.00"}, headers=_KEY)
    assert_problem(answer, 422, "idempotency-key-reused")
    # Byte for byte: another way to write the same good is another body.
    answer = await client.post("/goods", json=dict(reversed(_GOOD.items())), headers=_KEY)
    assert_problem(answer, 422, "idempotency-key-reused")


async def test_a_key_belongs_to_its_method_and_path(client: httpx2.AsyncClient) -> None:
    good, other = await create(client), await create(client)
    for target in (good, other):
        answer = await client.patch(f"/goods/{target['id']}", json={"stock": 7}, headers=_KEY)
        assert (answer.status_code, answer.json()["id"]) == (200, target["id"])
        assert "idempotency-replayed" not in answer.headers
    assert (await client.post("/goods", json=_GOOD, headers=_KEY)).status_code == 201


async def test_a_failure_is_not_kept(client: httpx2.AsyncClient) -> None:
    taken = await create(client, sku="L-1")
    assert_problem(await client.post("/goods", json=_GOOD, headers=_KEY), 409, "sku-taken")
    await client.delete(f"/goods/{taken['id']}")
    answer = await client.post("/goods", json=_GOOD, headers=_KEY)
    assert answer.status_code == 201
    assert "idempotency-replayed" not in answer.headers


async def test_put_takes_no_notice_of_a_key(client: httpx2.AsyncClient) -> None:
    good = await create(client)
    body = {"name": "New", "price": "1.00"}
    for _ in range(2):
        answer = await client.put(f"/goods/{good['id']}", json=body, headers=_KEY)
        assert answer.status_code == 200
        assert "idempotency-replayed" not in answer.headers


@pytest.mark.parametrize("key", ["", "x" * 256])
async def test_a_key_has_1_to_255_characters(client: httpx2.AsyncClient, key: str) -> None:
    errors = assert_problem(
        await client.post("/goods", json=_GOOD, headers={"Idempotency-Key": key}), 422, "invalid-input"
    )
    assert [error["header"] for error in errors] == ["Idempotency-Key"]
    answer = await client.post("/goods", json=_GOOD, headers=[("Idempotency-Key", "a"), ("Idempotency-Key", "b")])
    assert_problem(answer, 422, "invalid-input")
    longest = await client.post("/goods", json=_GOOD, headers={"Idempotency-Key": "x" * 255})
    assert longest.status_code == 201


async def test_a_hundred_at_once_have_one_effect(client: httpx2.AsyncClient, connection: Any) -> None:
    answers = await asyncio.gather(*(client.post("/goods", json=_GOOD, headers=_KEY) for _ in range(100)))
    assert {answer.status_code for answer in answers} == {201}, {answer.text for answer in answers}
    assert len({repr(as_first(answer)) for answer in answers}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
    good = answers[0].json()
    assert len(await changes(connection, good["id"])) == 1
    patches = await asyncio.gather(
        *(client.patch(f"/goods/{good['id']}", json={"stock": 9}, headers=_KEY) for _ in range(100))
    )
    assert len({repr(as_first(answer)) for answer in patches}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in patches) == 1
    assert len(await changes(connection, good["id"])) == 2


async def test_a_duplicate_waits_for_the_first_and_gives_up_at_its_deadline(
    client: httpx2.AsyncClient, connection: Any
) -> None:
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute(
        "INSERT INTO idempotency_records VALUES"
        " ('anonymous', 'POST', '/goods', 'order-1', '', 201, '{}', '{}', clock_timestamp())"
    )
    try:
        answer = await client.post("/goods", json=_GOOD, headers=_KEY)
    finally:
        await transaction.rollback()
    assert_problem(answer, 409, "idempotency-key-in-use")
    assert (await client.post("/goods", json=_GOOD, headers=_KEY)).status_code == 201


async def test_answers_are_forgotten_after_a_day(service: Any, client: httpx2.AsyncClient, connection: Any) -> None:
    first = await client.post("/goods", json=_GOOD, headers=_KEY)
    await client.post("/goods", json={**_GOOD, "sku": "L-2"}, headers={"Idempotency-Key": "order-2"})
    await connection.execute(
        "UPDATE idempotency_records SET created_at = now() - interval '25 hours' WHERE key = 'order-1'"
    )
    await service.parts.idempotency.forget()
    assert await connection.fetchval("SELECT array_agg(key) FROM idempotency_records") == ["order-2"]
    again = await client.post("/goods", json=_GOOD, headers=_KEY)
    assert first.status_code == 201
    assert_problem(again, 409, "sku-taken")
