"""Goods that are asked for at the same time go in with one statement, and what is wrong with one harms no other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest

from app.errors.domain import DatabaseUnavailable, SkuTaken
from app.goods.schemas.goods import GoodsCreate
from app.goods.services.origin import Origin
from app.goods.services.written import Written
from tests.api.support import everything
from tests.conftest import Service

_CALLS = "SELECT coalesce(sum(calls), 0)::int FROM pg_stat_statements WHERE query LIKE '%INSERT INTO goods (sku%'"
_REFUSE = """
CREATE FUNCTION refuse_one() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.sku = 'SLOWLY REFUSED' THEN PERFORM pg_sleep(0.6); END IF;
  IF NEW.sku LIKE '%REFUSED' THEN RAISE EXCEPTION 'refused for a test' USING ERRCODE = TG_ARGV[0]; END IF;
  RETURN NEW;
END $$;
"""


async def together(service: Service, *skus: str) -> list[Any]:
    """Goods with these SKUs, asked for in one turn: for each what was written, or why it was not."""
    return await asyncio.gather(
        *(
            service.parts.goods_service.create(
                GoodsCreate(sku=sku, name=f"good {n}", price=n, stock=n % 3),
                origin=Origin(f"actor {n}", f"request {n}"),
            )
            for n, sku in enumerate(skus)
        ),
        return_exceptions=True,
    )


async def one(service: Service, sku: str) -> Any:
    (outcome,) = await together(service, sku)
    return outcome


@pytest.fixture
async def refusing(connection: Any) -> AsyncIterator[Any]:
    """A connection to create triggers with, that call `refuse_one`; they are gone after the test."""
    await connection.execute(_REFUSE)
    yield connection
    await connection.execute("DROP FUNCTION refuse_one CASCADE")


async def test_goods_of_one_turn_are_one_statement(service: Service, connection: Any) -> None:
    await connection.execute("SELECT pg_stat_statements_reset()")
    written = await together(service, *(f"A-{n}" for n in range(40)))
    assert all(isinstance(good, Written) for good in written)
    assert await connection.fetchval(_CALLS) == 1


async def test_each_is_answered_and_written_for_whoever_asked_for_it(service: Service, connection: Any) -> None:
    skus = [f"Z-{n:02}" for n in range(20, 0, -1)]
    written = await together(service, *skus)
    state = await everything(connection)
    goods = {good["id"]: good for good in state["goods"]}
    for n, (sku, good) in enumerate(zip(skus, written, strict=True)):
        stored = goods[good.id]
        assert (stored["sku"], stored["name"], stored["price"], stored["stock"]) == (sku, f"good {n}", n, n % 3)
        (change,) = [change for change in state["changes"] if change["goods_id"] == good.id]
        assert (change["actor"], change["request_id"]) == (f"actor {n}", f"request {n}")
        assert (change["operation"], change["version"], change["after"]) == ("create", 1, good.document)
        moved = [move for move in state["stock_movements"] if move["goods_id"] == good.id]
        expected = [(n % 3, n % 3, f"actor {n}")] if n % 3 else []
        assert [(move["delta"], move["balance"], move["actor"]) for move in moved] == expected


async def test_of_two_with_the_same_sku_the_first_has_it(service: Service, connection: Any) -> None:
    first, other, second = await together(service, "SAME", "OTHER", "SAME")
    assert isinstance(other, Written)
    assert isinstance(second, SkuTaken)
    assert await connection.fetchval("SELECT name FROM goods WHERE id = $1", first.id) == "good 0"
    assert await connection.fetchval("SELECT count(*) FROM goods") == 2


async def test_a_sku_that_is_taken_harms_no_other(service: Service, connection: Any) -> None:
    await together(service, "TAKEN")
    before, taken, after = await together(service, "BEFORE", "TAKEN", "AFTER")
    assert isinstance(taken, SkuTaken)
    assert isinstance(before, Written)
    assert isinstance(after, Written)
    assert await connection.fetchval("SELECT count(*) FROM goods") == 3


@pytest.mark.parametrize("when", ["BEFORE INSERT", "AFTER INSERT"])
@pytest.mark.parametrize("code", ["23514", "22003", "P0001"])
async def test_one_that_the_database_refuses_harms_no_other(
    service: Service, refusing: Any, when: str, code: str
) -> None:
    await refusing.execute(f"CREATE TRIGGER refused {when} ON goods FOR EACH ROW EXECUTE FUNCTION refuse_one('{code}')")
    before, refused, after = await together(service, "BEFORE", "REFUSED", "AFTER")
    assert isinstance(refused, Exception)
    assert isinstance(before, Written)
    assert isinstance(after, Written)
    assert {row["sku"] for row in await refusing.fetch("SELECT sku FROM goods")} == {"BEFORE", "AFTER"}


@asynccontextmanager
async def held(connection: Any, sku: str) -> AsyncIterator[None]:
    """Somebody has created a good with this SKU in a long transaction, as an import does, and goes on."""
    async with connection.transaction():
        await connection.execute(
            "INSERT INTO goods (sku, name, price, created_at, updated_at) VALUES ($1, 'x', 1, now(), now())", sku
        )
        yield


async def test_one_that_waits_for_a_lock_keeps_no_other_waiting(service: Service, connection: Any) -> None:
    """Neither those that came with it nor those that come later; each way, and though there are two such."""
    async with held(connection, "HELD"):
        waiting = []
        for n in range(3):
            waiting.append(asyncio.ensure_future(one(service, "HELD")))
            assert all(isinstance(good, Written) for good in await together(service, f"FREE {n}", f"ALSO FREE {n}"))
            mixed = [asyncio.ensure_future(one(service, sku)) for sku in ("HELD", f"BESIDE {n}")]
            assert isinstance(await mixed[1], Written)
            waiting.append(mixed[0])
        assert not any(task.done() for task in waiting)
    assert [type(outcome) for outcome in await asyncio.gather(*waiting)] == [SkuTaken] * len(waiting)


async def test_what_fails_late_is_not_tried_again(service: Service, connection: Any, refusing: Any) -> None:
    """A table that is locked fails at its own deadline; a second one behind it would keep the caller twice as long."""
    await refusing.execute(
        "CREATE TRIGGER refused BEFORE INSERT ON goods FOR EACH ROW EXECUTE FUNCTION refuse_one('55P03')"
    )
    await connection.execute("SELECT pg_stat_statements_reset()")
    assert [type(outcome) for outcome in await together(service, "BEFORE", "SLOWLY REFUSED")] == [
        DatabaseUnavailable
    ] * 2
    assert await connection.fetchval("SELECT count(*) FROM goods") == 0


async def test_a_long_description_goes_alone(service: Service, connection: Any) -> None:
    """It may hold a thousand new words, which the others would wait for."""
    await connection.execute("SELECT pg_stat_statements_reset()")
    create = service.parts.goods_service.create
    goods = [GoodsCreate(sku=f"L-{n}", name="x", price=Decimal(1), description="word " * 400) for n in range(3)]
    written = await asyncio.gather(*(create(good, origin=Origin("a", "b")) for good in goods))
    assert [good.version for good in written] == [1, 1, 1]
    assert await connection.fetchval(_CALLS) == 3


async def test_two_statements_that_want_the_same_skus_do_not_wait_for_each_other(service: Service) -> None:
    skus = [f"D-{n}" for n in range(30)]
    outcomes = await asyncio.gather(together(service, *skus), _later(service, *reversed(skus)))
    assert sum(isinstance(good, Written) for outcome in outcomes for good in outcome) == len(skus)
    assert sum(isinstance(good, SkuTaken) for outcome in outcomes for good in outcome) == len(skus)


async def _later(service: Service, *skus: str) -> list[Any]:
    await asyncio.sleep(0)  # after the first statement was sent
    await asyncio.sleep(0)
    return await together(service, *skus)


async def test_when_the_outcome_is_unknown_nothing_is_tried_again(service: Service, refusing: Any) -> None:
    """57014: the statement was cancelled. All of them are told, and none is there."""
    await refusing.execute(
        "CREATE TRIGGER refused BEFORE INSERT ON goods FOR EACH ROW EXECUTE FUNCTION refuse_one('57014')"
    )
    outcomes = await together(service, "BEFORE", "REFUSED", "AFTER")
    assert [type(outcome) for outcome in outcomes] == [DatabaseUnavailable] * 3
    assert await refusing.fetchval("SELECT count(*) FROM goods") == 0
