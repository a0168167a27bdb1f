"""If-Match and If-None-Match on changes (RFC 9110, section 13), and a deployment that requires them."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from app.application import create_app
from app.database.embedded import EmbeddedAddress
from tests.api.support import assert_problem, changes, counted, create, places, read
from tests.conftest import Service, settings_for
from tests.serving import serving

METHODS = ("PUT", "PATCH", "DELETE")


async def change(
    client: httpx2.AsyncClient, method: str, good: dict[str, Any], headers: dict[str, str] | list[tuple[str, str]]
) -> httpx2.Response:
    """Rename the good, or delete it."""
    body = None if method == "DELETE" else {"name": "Changed", "price": good["price"]}
    return await client.request(method, f"/goods/{good['id']}", json=body, headers=headers)


@pytest.fixture
async def good(client: httpx2.AsyncClient) -> dict[str, Any]:
    """A good at version 2, so that an older tag exists."""
    made = await create(client, stock=3)
    changed: dict[str, Any] = (await client.patch(f"/goods/{made['id']}", json={"price": "7"})).json()
    return changed


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "header", ['"{id}-2"', "*", '"{id}-1", "{id}-2"', '"x","{id}-2"', '"a,b" ,"{id}-2"', 'W/"{id}-2", "{id}-2"']
)
async def test_a_matching_condition_lets_a_change_through(
    client: httpx2.AsyncClient, good: dict[str, Any], method: str, header: str
) -> None:
    answer = await change(client, method, good, {"If-Match": header.format(id=good["id"])})
    assert answer.is_success, answer.text


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "header",
    [
        '"{id}-1"', '"{id}-3"', 'W/"{id}-2"', '"{other}-2"', '"0{id}-2"', '"{id}-02"', "{id}-2", '"{id}-2', "",
        "garbage", '""', ",", '"{id}-99999999999999999999"', '"{id}-9223372036854775807"', '"{id}--2"', '"{id}- 2"',
        '"é"',
    ],
)  # fmt: skip
async def test_a_condition_that_fails_changes_nothing(
    client: httpx2.AsyncClient, connection: Any, good: dict[str, Any], method: str, header: str
) -> None:
    operation = {"PUT": "replace", "PATCH": "patch", "DELETE": "delete"}[method]
    labels = {"operation": operation, "result": "precondition_failed"}
    failed = await counted(client, "goods_operations_total", **labels)
    value = header.format(id=good["id"], other=good["id"] + 1)
    answer = await client.request(
        method,
        f"/goods/{good['id']}",
        json=None if method == "DELETE" else {"name": "Changed", "price": "1"},
        headers={b"If-Match": value.encode("latin-1")},
    )
    assert_problem(answer, 412, "precondition-failed")
    assert await read(client, good["id"]) == good
    assert len(await changes(connection, good["id"])) == 2
    assert await counted(client, "goods_operations_total", **labels) == failed + 1


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("header", ['"{id}-2"', 'W/"{id}-2"', "*", '"x", "{id}-2"'])
async def test_if_none_match_refuses_the_version_that_is_stored(
    client: httpx2.AsyncClient, good: dict[str, Any], method: str, header: str
) -> None:
    answer = await change(client, method, good, {"If-None-Match": header.format(id=good["id"])})
    assert_problem(answer, 412, "precondition-failed")
    assert await read(client, good["id"]) == good


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("header", ['"{id}-1"', '"{other}-2"', "garbage"])
async def test_if_none_match_allows_every_other_version(
    client: httpx2.AsyncClient, good: dict[str, Any], method: str, header: str
) -> None:
    value = header.format(id=good["id"], other=good["id"] + 1)
    assert (await change(client, method, good, {"If-None-Match": value})).is_success


@pytest.mark.parametrize("method", METHODS)
async def test_several_lines_of_a_condition_are_one_list(
    client: httpx2.AsyncClient, good: dict[str, Any], method: str
) -> None:
    refused = [("If-None-Match", '"x"'), ("If-None-Match", f'"{good["id"]}-2"')]
    assert_problem(await change(client, method, good, refused), 412, "precondition-failed")
    allowed = [("If-Match", '"x"'), ("If-Match", f'"{good["id"]}-2"')]
    assert (await change(client, method, good, allowed)).is_success


@pytest.mark.parametrize("method", METHODS)
async def test_both_conditions_must_hold(client: httpx2.AsyncClient, good: dict[str, Any], method: str) -> None:
    tag = f'"{good["id"]}-2"'
    answer = await change(client, method, good, {"If-Match": tag, "If-None-Match": tag})
    assert_problem(answer, 412, "precondition-failed")
    answer = await change(client, method, good, {"If-Match": tag, "If-None-Match": f'"{good["id"]}-1"'})
    assert answer.is_success


@pytest.mark.parametrize("method", METHODS)
async def test_a_condition_on_nothing_is_not_found(client: httpx2.AsyncClient, method: str) -> None:
    for header in ('"5-1"', "*"):
        answer = await change(client, method, {"id": 5, "price": "1"}, {"If-Match": header})
        assert_problem(answer, 404, "goods-not-found")


async def test_the_condition_is_judged_before_the_body_meets_what_is_stored(
    client: httpx2.AsyncClient, good: dict[str, Any]
) -> None:
    """Also before "without effect": a stale client must learn that it is stale."""
    stale = {"If-Match": f'"{good["id"]}-1"'}
    answer = await client.patch(f"/goods/{good['id']}", json={"version": 1}, headers=stale)
    assert_problem(answer, 412, "precondition-failed")
    assert_problem(await client.patch(f"/goods/{good['id']}", json={}, headers=stale), 412, "precondition-failed")


@pytest.fixture
async def strict(service: Service, postgres: EmbeddedAddress) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a deployment with REQUIRE_IF_MATCH, on the same empty tables."""
    assert service
    app = create_app(settings_for(postgres, REQUIRE_IF_MATCH="true"))
    async with serving(app) as url, httpx2.AsyncClient(base_url=url, timeout=30) as opened:
        yield opened


async def test_where_it_is_required_a_change_without_if_match_is_refused(strict: httpx2.AsyncClient) -> None:
    good = await create(strict)
    for method in METHODS:
        for headers in ({}, {"If-None-Match": '"x"'}):
            answer = await change(strict, method, good, headers)
            assert places(assert_problem(answer, 428, "precondition-required")) == ["If-Match"]
    assert await read(strict, good["id"]) == good


async def test_where_it_is_required_a_stale_tag_fails_and_the_right_one_passes(strict: httpx2.AsyncClient) -> None:
    good = await create(strict)
    assert_problem(await change(strict, "PUT", good, {"If-Match": f'"{good["id"]}-9"'}), 412, "precondition-failed")
    put = await change(strict, "PUT", good, {"If-Match": f'"{good["id"]}-1"'})
    patched = await strict.patch(f"/goods/{good['id']}", json={"stock": 9}, headers={"If-Match": put.headers["etag"]})
    assert patched.json()["version"] == 3
    gone = await change(strict, "DELETE", good, {"If-Match": patched.headers["etag"]})
    assert gone.status_code == 204


async def test_where_it_is_required_an_id_that_can_not_be_is_not_found(strict: httpx2.AsyncClient) -> None:
    assert_problem(await strict.delete("/goods/0"), 404, "goods-not-found")
