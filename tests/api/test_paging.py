"""Walking the list: tokens that are strict, and pages that miss nothing while goods come and go."""

import base64
import json
import re
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from app.goods.queries.filters import fingerprint
from app.goods.schemas.list import GoodsFilter
from app.rest import cursors
from tests.api.support import assert_problem, create, places

ALPHABET = re.compile(r"[A-Za-z0-9._~-]+")
SORTS = ["id", "name", "price", "stock", "created_at", "updated_at"]
BOTH_WAYS = [*SORTS, *(f"-{sort}" for sort in SORTS)]
ON_THE_RUNNING_SERVICE = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def token_of(scope: str, *position: object) -> str:
    """A token that says what it likes."""
    raw = json.dumps([scope, *position]).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def scope_of(sort: str) -> str:
    """The fingerprint of the list without filters in this order."""
    return fingerprint(GoodsFilter.model_validate({"sort": sort}))


@pytest.fixture
async def first_tokens(client: httpx2.AsyncClient) -> dict[str, str]:
    """The token of each order's first page."""
    for n in range(5):
        await create(client, name=f"{n} Ключ ключ >>>???~~~ \U0010ffff", price=n, stock=n)
    tokens = {}
    for sort in BOTH_WAYS:
        tokens[sort] = (await client.get("/goods", params={"sort": sort, "limit": 2})).json()["next"]
    return tokens


async def test_tokens_need_no_escaping(first_tokens: dict[str, str]) -> None:
    for token in first_tokens.values():
        assert ALPHABET.fullmatch(token)


async def test_a_token_belongs_to_its_order(client: httpx2.AsyncClient, first_tokens: dict[str, str]) -> None:
    for sort in BOTH_WAYS:
        for other, token in first_tokens.items():
            answer = await client.get("/goods", params={"sort": sort, "after": token})
            if sort == other:
                assert answer.status_code == 200
            else:
                assert places(assert_problem(answer, 422, "invalid-input")) == ["after"]


@pytest.mark.parametrize("query", ["category=a", "min_price=1", "max_price=100", "in_stock=true", "in_stock=false"])
async def test_a_token_belongs_to_its_filters(
    client: httpx2.AsyncClient, first_tokens: dict[str, str], query: str
) -> None:
    answer = await client.get(f"/goods?{query}&after={first_tokens['id']}")
    assert places(assert_problem(answer, 422, "invalid-input")) == ["after"]


async def test_a_token_of_a_filter_does_not_fit_another_value(client: httpx2.AsyncClient) -> None:
    for _ in range(3):
        await create(client, category="a", price=5)
    token = (await client.get("/goods?category=a&min_price=1&limit=1")).json()["next"]
    same = await client.get(f"/goods?min_price=1&category=a&limit=2&count=exact&after={token}")
    assert (same.status_code, same.json()["count"]) == (200, 3)
    equal = await client.get(f"/goods?min_price=1.00&category=a&after={token}")
    assert equal.status_code == 200
    for query in ("category=b&min_price=1", "category=a&min_price=2", "category=a&max_price=1", "category=a"):
        assert_problem(await client.get(f"/goods?{query}&after={token}"), 422, "invalid-input")


async def test_a_token_of_the_categories_does_not_fit_the_goods(client: httpx2.AsyncClient) -> None:
    for category in "abc":
        await create(client, category=category)
    token = (await client.get("/categories?limit=1")).json()["next"]
    assert_problem(await client.get("/goods", params={"after": token}), 422, "invalid-input")
    token = (await client.get("/goods?limit=1")).json()["next"]
    assert_problem(await client.get("/categories", params={"after": token}), 422, "invalid-input")


async def test_a_token_that_lost_or_gained_a_character_is_refused(
    client: httpx2.AsyncClient, first_tokens: dict[str, str]
) -> None:
    for sort in ("name", "created_at"):
        token = first_tokens[sort]
        for mangled in (token[1:], token[:-4], "x" + token, token + "=A", token[::-1], token * 2, token + "é", ""):
            answer = await client.get("/goods", params={"sort": sort, "after": mangled})
            assert places(assert_problem(answer, 422, "invalid-input")) == ["after"], mangled


TEXT = st.one_of(
    st.text(max_size=60),
    st.binary(max_size=60).map(lambda raw: base64.urlsafe_b64encode(raw).rstrip(b"=").decode()),
    st.text("-_=.~ABCabc0189", max_size=60),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
KEYS = st.one_of(
    JSON,
    st.integers(-(2**65), 2**65),
    st.decimals(allow_nan=True, allow_infinity=True).map(str),
    st.sampled_from(["1e999999", "1e-999999", "-1", "0.001", "1e99999999999999999999", "NaN", "sNaN", "9" * 500]),
    st.datetimes().map(lambda moment: moment.isoformat() + "Z"),
    st.sampled_from(["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999999-14:00", "2026-01-01", "\ud800", "\x00"]),
)


@ON_THE_RUNNING_SERVICE
@given(token=TEXT, sort=st.sampled_from(BOTH_WAYS))
async def test_whatever_stands_in_after_is_no_fault_of_the_service(
    client: httpx2.AsyncClient, token: str, sort: str
) -> None:
    for path, query in (("/goods", {"sort": sort}), ("/categories", {})):
        answer = await client.get(path, params={**query, "after": token})
        assert places(assert_problem(answer, 422, "invalid-input")) == ["after"]


@ON_THE_RUNNING_SERVICE
@given(sort=st.sampled_from(BOTH_WAYS), position=st.lists(KEYS, max_size=3), key=KEYS)
@example(sort="price", position=["1e999999", 1], key="")
@example(sort="created_at", position=["0001-01-01T00:00:00+14:00", 1], key="")
@example(sort="-updated_at", position=["9999-12-31T23:59:59.999999-14:00", 1], key="")
@example(sort="stock", position=[2**31, 1], key="")
@example(sort="id", position=[2**63], key="")
@example(sort="id", position=[True], key="\ud800")
@example(sort="name", position=["\ud800", 1], key="\x00")
@example(sort="name", position=["a", 2**63], key=None)
async def test_a_forged_position_is_no_fault_of_the_service(
    client: httpx2.AsyncClient, sort: str, position: list[Any], key: Any
) -> None:
    """The fingerprint is no secret: what comes with the right one is checked as well."""
    for place in (position, [*position[:1], 5]):
        answer = await client.get("/goods", params={"sort": sort, "after": token_of(scope_of(sort), *place)})
        assert answer.status_code == 200 or assert_problem(answer, 422, "invalid-input")
    token = token_of(cursors.fingerprint("categories"), key)
    answer = await client.get("/categories", params={"after": token})
    assert answer.status_code == 200 or assert_problem(answer, 422, "invalid-input")


async def test_a_forged_position_that_could_be_real_is_taken(client: httpx2.AsyncClient) -> None:
    """So the forgeries of these tests do come as far as the database."""
    good = await create(client, name="b", price=5)
    for sort, position in (
        ("id", [0]),
        ("name", ["a", 9]),
        ("-price", ["6.00", 9]),
        ("created_at", ["2020-01-01T00:00:00Z", 1]),
    ):
        answer = await client.get("/goods", params={"sort": sort, "after": token_of(scope_of(sort), *position)})
        assert answer.json()["items"] == [good]


@pytest.mark.parametrize(
    ("sort", "limit"),
    [
        ("id", 1),
        ("-id", 2),
        ("name", 3),
        ("-price", 4),
        ("stock", 5),
        ("-created_at", 6),
        ("created_at", 7),
        ("name", 1),
    ],
)
async def test_a_walk_sees_each_good_that_stays_exactly_once(client: httpx2.AsyncClient, sort: str, limit: int) -> None:
    """While others are made, changed and deleted between the pages."""
    staying = [await create(client, name=f"N{n % 5}", price=n % 4, stock=n % 3) for n in range(20)]
    leaving = [await create(client, name=f"N{n % 5}", price=n % 4, stock=n % 3) for n in range(10)]
    seen: list[int] = []
    query: dict[str, Any] = {"sort": sort, "limit": limit}
    for step in range(100):
        page = (await client.get("/goods", params=query)).json()
        seen += [good["id"] for good in page["items"]]
        if page["next"] is None:
            break
        query["after"] = page["next"]
        if step < 10:
            await create(client, name=f"N{step % 6}", price=step % 5, stock=step % 4)
            # The last good of the page may go as well: a token names a place, not a good.
            last = next((good for good in leaving if good["id"] == seen[-1]), leaving[-1])
            leaving.remove(last)
            await client.delete(f"/goods/{last['id']}")
            good = staying[(step * 7) % len(staying)]
            await client.patch(f"/goods/{good['id']}", json={"description": f"changed in step {step}"})
    assert len(set(seen)) == len(seen)
    assert {good["id"] for good in staying} <= set(seen)


async def test_a_page_costs_one_statement(client: httpx2.AsyncClient, connection: Any) -> None:
    for _ in range(3):
        await create(client)
    token = (await client.get("/goods?limit=1&sort=name")).json()["next"]
    await connection.execute("SELECT pg_stat_statements_reset()")
    await client.get(f"/goods?limit=1&sort=name&after={token}")
    calls = await connection.fetchval(
        "SELECT sum(calls) FROM pg_stat_statements WHERE query ILIKE '%FROM goods%' AND query NOT ILIKE '%pg_stat%'"
    )
    assert calls == 1
