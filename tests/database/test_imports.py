"""An import is planned, applied and undone whole, and never over what somebody else has changed meanwhile."""

import asyncio
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from app.config.conf import Settings
from app.database.db import DatabaseAddress
from app.errors.domain import ImportNotFound, WrongImportState
from app.goods.imports.options import ImportOptions
from app.goods.imports.reading import ImportFileError, LineReader
from app.goods.queries.import_rows import import_rows
from app.goods.services.imports import running
from app.goods.services.imports.counts import Counts
from app.goods.services.imports.running import plan_file, run
from app.goods.services.origin import Origin
from tests.api.support import everything

_ORIGIN = Origin("tester", "request-1")


@pytest.fixture
async def database(settings: Settings, connection: Any) -> Any:
    """A connection to empty tables, which hold two goods: A (price 1, stock 5) and B (price 2, stock 0)."""
    await connection.execute("TRUNCATE goods, stock_movements, changes, imports RESTART IDENTITY CASCADE")
    await imported(settings, "sku,name,price,stock\nA,a,1,5\nB,b,2,0\n")
    return connection


async def planned(settings: Settings, content: str, **options: Any) -> tuple[int, Counts]:
    parsed = ImportOptions.parse(form="csv", **options)
    return await plan_file(settings, parsed, LineReader([content.encode()], parsed), _ORIGIN)


async def imported(settings: Settings, content: str) -> int:
    import_id, _ = await planned(settings, content)
    assert await run(settings, import_id, "apply", _ORIGIN) == 0
    return import_id


async def goods_of(connection: Any) -> dict[str, tuple[Any, ...]]:
    """Each good's id and business fields."""
    rows = await connection.fetch("SELECT * FROM goods")
    return {
        row["sku"]: (row["id"], row["name"], row["description"], row["category"], row["price"], row["stock"])
        for row in rows
    }


async def assert_books_balance(connection: Any) -> None:
    """Stock is the sum of the ledger, and the newest change says what each good is."""
    wrong = await connection.fetch(
        "SELECT g.sku FROM goods g WHERE g.stock <> (SELECT coalesce(sum(delta), 0) FROM stock_movements m"
        " WHERE m.goods_id = g.id) OR (SELECT (c.after ->> 'stock')::int FROM changes c WHERE c.goods_id = g.id"
        " AND c.version = g.version) IS DISTINCT FROM g.stock"
    )
    assert wrong == []
    ghosts = await connection.fetch(
        "SELECT goods_id FROM stock_movements WHERE goods_id NOT IN (SELECT id FROM goods)"
        " GROUP BY goods_id HAVING sum(delta) <> 0"
    )
    assert ghosts == []


async def state_of(connection: Any, import_id: int) -> tuple[str, str | None]:
    row = await connection.fetchrow("SELECT state, problem ->> 'type' FROM imports WHERE id = $1", import_id)
    return tuple(row)


async def test_only_the_fields_that_are_given_change(settings: Settings, database: Any) -> None:
    before = await goods_of(database)
    import_id, counts = await planned(settings, "sku,price\nA,1.50\nB,2.00\nC,3\n")
    assert counts == Counts(created=0, updated=1, unchanged=1, refused=1)
    assert await run(settings, import_id, "apply", _ORIGIN) == 0
    after = await goods_of(database)
    assert after == {**before, "A": (*before["A"][:4], Decimal("1.50"), 5)}
    [change] = await database.fetch("SELECT * FROM changes WHERE request_id = 'request-1' AND operation = 'update'")
    assert (change["actor"], change["version"]) == ("tester", 2)
    assert await state_of(database, import_id) == ("applied", None)
    await assert_books_balance(database)


async def test_the_last_valid_line_of_a_sku_wins(settings: Settings, database: Any) -> None:
    file = "sku,name,price,stock\nA,a,9,1\nA,a,8,2\nA,a,x,3\nN,n,1,1\nN,m,2,2\nB,b,2,0\nB,b,2,0\nB,,,\n"
    import_id, counts = await planned(settings, file)
    assert counts == Counts(created=1, updated=3, unchanged=2, refused=2)
    await run(settings, import_id, "apply", _ORIGIN)
    goods = await goods_of(database)
    assert goods["A"][4:] == (Decimal(8), 2)
    assert (goods["N"][1], *goods["N"][4:]) == ("m", Decimal(2), 2)
    assert await database.fetchval("SELECT count(*) FROM changes WHERE sku = 'B'") == 1
    movements = await database.fetch("SELECT delta, reason, reference FROM stock_movements ORDER BY id DESC LIMIT 2")
    assert {tuple(row) for row in movements} == {(-3, "import", str(import_id)), (2, "import", str(import_id))}
    await assert_books_balance(database)


async def test_an_earlier_line_wins_when_the_last_can_not_make_the_good(settings: Settings, database: Any) -> None:
    options = ImportOptions.parse(form="ndjson")
    lines = b'{"sku":"N","name":"n","price":1}\n{"sku":"N","price":2}\n'
    import_id, counts = await plan_file(settings, options, LineReader([lines], options), _ORIGIN)
    assert counts == Counts(created=1, refused=1)
    [row] = await import_rows(database, import_id, result="refused", limit=10)
    assert row.line == 2
    assert row.problem is not None
    assert row.problem.startswith("no good has this SKU")


async def test_planning_writes_no_good_and_a_file_that_fails_leaves_nothing(settings: Settings, database: Any) -> None:
    before = await everything(database)
    await planned(settings, "sku,name,price\nA,other,9\nC,c,1\n")
    count = await database.fetchval("SELECT count(*) FROM imports")
    with pytest.raises(ImportFileError):
        await planned(settings, 'sku,name,price\nA,other,9\nC,"c,1\n')
    assert await everything(database) == before
    assert await database.fetchval("SELECT count(*) FROM imports") == count


async def test_undoing_brings_back_what_was(settings: Settings, database: Any) -> None:
    before = await goods_of(database)
    import_id = await imported(
        settings, "sku,name,description,category,price,stock\nA,x,y,z,9,9\nC,c,,,1,4\nD,d,,,1,0\n"
    )
    assert len(await goods_of(database)) == 4
    assert await run(settings, import_id, "undo", _ORIGIN) == 0
    assert await goods_of(database) == before
    assert await state_of(database, import_id) == ("undone", None)
    reasons = await database.fetch("SELECT delta FROM stock_movements WHERE reason = 'undo' ORDER BY delta")
    assert [row["delta"] for row in reasons] == [-4, -4]
    await assert_books_balance(database)
    for step in ("apply", "undo"):
        with pytest.raises(WrongImportState):
            await run(settings, import_id, step, _ORIGIN)


@pytest.mark.parametrize(
    "meanwhile",
    [
        "UPDATE goods SET price = 7 WHERE sku = 'A'",
        "DELETE FROM goods WHERE sku = 'A'",
        "UPDATE goods SET sku = 'Z' WHERE sku = 'A'",
        "INSERT INTO goods (sku, name, price, created_at, updated_at) VALUES ('C', 'c', 1, now(), now())",
    ],
)
async def test_what_changed_since_the_plan_stops_it_whole(settings: Settings, database: Any, meanwhile: str) -> None:
    import_id, _ = await planned(settings, "sku,name,price\nB,b,9\nA,a,9\nC,c,1\n")
    await database.execute(meanwhile)
    before = await everything(database)
    assert await run(settings, import_id, "apply", _ORIGIN) == 1
    assert await everything(database) == before
    assert await state_of(database, import_id) == ("planned", "/problems/import-drift")
    [row] = await import_rows(database, import_id, result="conflict", limit=10)
    assert row.sku == ("C" if "INSERT" in meanwhile else "A")


async def test_a_field_that_the_import_leaves_alone_may_change(settings: Settings, database: Any) -> None:
    import_id, _ = await planned(settings, "sku,name,price\nA,a,9\n")
    await database.execute("UPDATE goods SET name = 'new', stock = 6 WHERE sku = 'A'")
    assert await run(settings, import_id, "apply", _ORIGIN) == 0
    assert (await goods_of(database))["A"][1:] == ("new", "", "", Decimal(9), 6)
    await database.execute("UPDATE goods SET category = 'x' WHERE sku = 'A'")
    assert await run(settings, import_id, "undo", _ORIGIN) == 0
    assert (await goods_of(database))["A"][1:] == ("new", "", "x", Decimal(1), 6)


@pytest.mark.parametrize(
    ("meanwhile", "lines"),
    [
        ("UPDATE goods SET stock = stock - 1 WHERE sku IN ('A', 'C')", [2, 3]),
        ("UPDATE goods SET name = 'other' WHERE sku = 'C'", [3]),
        ("DELETE FROM goods WHERE sku = 'C'", [3]),
    ],
)
async def test_what_changed_since_it_was_applied_stops_the_undo(
    settings: Settings, database: Any, meanwhile: str, lines: list[int]
) -> None:
    import_id = await imported(settings, "sku,name,price,stock\nA,a,1,9\nC,c,1,4\nB,b,3,0\n")
    await database.execute(meanwhile)
    before = await everything(database)
    assert await run(settings, import_id, "undo", _ORIGIN) == len(lines)
    assert await everything(database) == before
    assert await state_of(database, import_id) == ("applied", "/problems/import-drift")
    rows = await import_rows(database, import_id, result="conflict", limit=10)
    assert [row.line for row in rows] == lines


async def test_a_conflict_that_is_gone_is_forgotten(settings: Settings, database: Any) -> None:
    import_id, _ = await planned(settings, "sku,name,price\nA,a,9\n")
    await database.execute("UPDATE goods SET price = 7 WHERE sku = 'A'")
    assert await run(settings, import_id, "apply", _ORIGIN) == 1
    await database.execute("UPDATE goods SET price = 1 WHERE sku = 'A'")
    assert await run(settings, import_id, "apply", _ORIGIN) == 0
    assert await import_rows(database, import_id, result="conflict", limit=10) == []
    assert await state_of(database, import_id) == ("applied", None)


async def test_two_that_apply_at_once_apply_once(settings: Settings, database: Any) -> None:
    import_id, _ = await planned(settings, "sku,name,price,stock\nA,a,9,9\nC,c,1,4\n")
    ends = await asyncio.gather(*(run(settings, import_id, "apply", _ORIGIN) for _ in range(5)), return_exceptions=True)
    assert ends.count(0) == 1
    assert sum(isinstance(end, WrongImportState) for end in ends) == 4
    await assert_books_balance(database)


async def test_a_sku_that_is_taken_in_the_last_moment_is_a_conflict(
    settings: Settings, database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another transaction takes it after the comparison: the unique index says so, and the next look finds it."""
    import_id, _ = await planned(settings, "sku,name,price\nA,a,9\nC,c,1\n")
    step = running.STEPS["apply"]

    async def write(connection: Any, import_id: int, origin: Origin) -> None:
        other = await asyncpg.connect(**DatabaseAddress.of(settings).connect_arguments())
        await other.execute(
            "INSERT INTO goods (sku, name, price, created_at, updated_at) VALUES ('C', 'c', 1, now(), now())"
            " ON CONFLICT DO NOTHING"
        )
        await other.close()
        await step.write(connection, import_id, origin)

    monkeypatch.setitem(running.STEPS, "apply", running.Step("planned", "applying", "applied", step.conflicts, write))
    assert await run(settings, import_id, "apply", _ORIGIN) == 1
    assert (await goods_of(database))["A"][4] == Decimal(1)


async def test_an_import_that_is_not_there(settings: Settings, database: Any) -> None:
    assert database is not None
    with pytest.raises(ImportNotFound):
        await run(settings, 99, "apply", _ORIGIN)
