"""Imports over HTTP: uploaded, planned in the background, applied and undone when they are asked to be."""

import asyncio
import csv
import gzip
import io
from typing import Any

import httpx2
import pytest

from app.goods.services.imports import worker, working
from tests.api.support import assert_problem, counted, create
from tests.commands.test_import import REAL_FILE
from tests.conftest import until

_CSV = {"Content-Type": "text/csv"}
_REAL_COLUMNS = "sku=StockCode,name=Description,price=UnitPrice,stock=Quantity"
_FILE = "sku,name,price,stock\nA,Lantern,2.00,7\nB,Wick,0.50,3\nB,Wick,0.60,x\n,nobody,1,1\n"


@pytest.fixture(autouse=True)
async def no_imports(connection: Any) -> None:
    # A step that a test did not wait for holds locks that emptying the tables would wait for in vain.
    under_way = "SELECT count(*) = 0 FROM imports WHERE state LIKE '%ing' AND uploaded_at IS NOT NULL"
    await until(lambda: connection.fetchval(under_way), seconds=60)
    await connection.execute("TRUNCATE imports, idempotency_records RESTART IDENTITY CASCADE")


@pytest.fixture(autouse=True)
def in_this_process(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process of its own takes a second to start: one test has it."""
    if "in_a_process" not in request.keywords:
        monkeypatch.setattr(worker, "_in_a_process", working.step)


async def upload(client: httpx2.AsyncClient, content: str | bytes = _FILE, **query: str) -> str:
    """Upload a file and give the import's path."""
    answer = await client.post("/imports", content=content, headers=_CSV, params=query)
    assert answer.status_code == 202, answer.text
    path = answer.headers["location"]
    assert path == f"/imports/{answer.json()['id']}"
    return str(path)


async def in_state(client: httpx2.AsyncClient, path: str, *states: str) -> dict[str, Any]:
    """The import, once it is in one of these states."""

    async def there() -> dict[str, Any] | None:
        found: dict[str, Any] = (await client.get(path)).json()
        return found if found["state"] in states else None

    found: dict[str, Any] = await until(there, seconds=60)
    return found


async def step(client: httpx2.AsyncClient, path: str, name: str, *states: str) -> dict[str, Any]:
    answer = await client.post(f"{path}/{name}")
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == path
    return await in_state(client, path, *states)


async def rows(client: httpx2.AsyncClient, path: str, **query: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await client.get(f"{path}/rows", params=query)).json()["items"]
    return items


@pytest.mark.in_a_process
async def test_from_the_upload_to_the_undo(client: httpx2.AsyncClient, connection: Any) -> None:
    before = await create(client, sku="A", name="Lantern", price="1.00", stock=5)
    planned_before = await counted(client, "goods_imports_total", result="planned")
    path = await upload(client)
    planned = await in_state(client, path, "planned")
    assert planned["counts"] == {"created": 1, "updated": 1, "unchanged": 0, "refused": 2}
    assert (planned["progress"], planned["problem"], planned["actor"]) == (1, None, "anonymous")
    assert planned["bytes"] == len(_FILE)
    assert planned["applied_at"] is None
    assert (await client.get(f"/goods/{before['id']}")).json() == before, "planning changes nothing"
    assert await rows(client, path) == [
        {"line": 2, "result": "updated", "sku": "A", "goods_id": before["id"], "problem": None,
         "changes": {"price": {"before": "1.00", "after": "2.00"}, "stock": {"before": 5, "after": 7}}},
        {"line": 3, "result": "created", "sku": "B", "goods_id": None, "problem": None,
         "changes": {"name": {"before": None, "after": "Wick"}, "price": {"before": None, "after": "0.50"},
                     "stock": {"before": None, "after": 3}}},
        {"line": 4, "result": "refused", "sku": "B", "goods_id": None, "changes": {},
         "problem": "stock: must be a whole number, as in 12"},
        {"line": 5, "result": "refused", "sku": None, "goods_id": None, "changes": {}, "problem": "sku: is empty"},
    ]  # fmt: skip
    assert [row["line"] for row in await rows(client, path, result="refused")] == [4, 5]
    refused = await client.get(f"{path}/refused.csv")
    assert refused.headers["content-type"] == "text/csv; charset=utf-8"
    assert refused.text == "sku,name,price,stock\nB,Wick,0.60,x\n,nobody,1,1\n"

    written_before = [await counted(client, f"goods_{what}_total") for what in ("created", "updated")]
    applied = await step(client, path, "apply", "applied")
    assert applied["applied_at"] is not None
    goods = (await client.get("/goods")).json()["items"]
    assert [(good["sku"], good["price"], good["stock"]) for good in goods] == [("A", "2.00", 7), ("B", "0.50", 3)]
    answer = await client.post(f"{path}/apply")
    assert_problem(answer, 409, "import-wrong-state")

    undone = await step(client, path, "undo", "undone")
    assert undone["undone_at"] is not None
    [after] = (await client.get("/goods")).json()["items"]
    unlike = {"version", "updated_at"}
    assert {name: after[name] for name in after.keys() - unlike} == {n: before[n] for n in before.keys() - unlike}
    total = await connection.fetchval("SELECT sum(delta) FROM stock_movements WHERE goods_id = $1", before["id"])
    assert total == 5
    assert await counted(client, "goods_imports_total", result="planned") > planned_before

    async def written() -> bool:
        now = [await counted(client, f"goods_{what}_total") for what in ("created", "updated")]
        return now == [written_before[0] + 1, written_before[1] + 2]  # one by applying, one by undoing

    await until(written)


async def test_what_changed_meanwhile_is_named_and_nothing_is_written(client: httpx2.AsyncClient) -> None:
    good = await create(client, sku="A", name="Lantern", price="1.00", stock=5)
    path = await upload(client)
    await in_state(client, path, "planned")
    await client.patch(f"/goods/{good['id']}", json={"stock": 4})
    drifted = await step(client, path, "apply", "planned")
    drifted = await in_state(client, path, "planned")
    assert drifted["problem"]["type"] == "/problems/import-drift"
    assert [row["sku"] for row in await rows(client, path, result="conflict")] == ["A"]
    assert (await client.get("/goods")).json()["items"][0]["price"] == "1.00"
    await client.patch(f"/goods/{good['id']}", json={"stock": 5})
    assert (await step(client, path, "apply", "applied"))["problem"] is None

    await client.patch(f"/goods/{good['id']}", json={"stock": 6})
    await client.post(f"{path}/undo")
    drifted = await in_state(client, path, "applied")
    assert drifted["problem"]["type"] == "/problems/import-drift"
    assert len((await client.get("/goods")).json()["items"]) == 2


@pytest.mark.parametrize(
    ("content", "line", "said"),
    [
        (b"sku,name\nA,\xff\n", 2, "the text is not utf-8"),
        (b"\xff\xfes\x00k\x00u\x00", 1, "the text is not utf-8"),
        (b'sku,name\nA,"open\n' + b"B,shut\n" * 300_000, 2, "quot"),
        (b"sku,name\nA,\x00\n", 2, "NUL"),
        (b"sku,name,sku\nA,B,C\n", 1, "sku"),
        (b"code,name\nA,B\n", 1, "sku"),
        (b"sku,name\nA,B\n" + b"x" * 100_000_000, 3, "over 1 MiB"),
        (gzip.compress(b"sku,name\n" + b"A,B\n" * 1_000_000), 1, "the text is not utf-8"),
        (b"", 1, "the file is empty"),
    ],
    ids=["byte", "utf-16", "quote", "NUL", "twice", "no column", "100 MB line", "gzip", "empty"],
)
async def test_a_file_that_can_not_be_read_fails_and_says_where(
    client: httpx2.AsyncClient, connection: Any, content: bytes, line: int, said: str
) -> None:
    await create(client, sku="A")
    path = await upload(client, content)
    failed = await in_state(client, path, "failed")
    assert failed["problem"]["type"] == "/problems/import-unreadable"
    assert failed["problem"]["line"] == line
    assert said in failed["problem"]["detail"]
    assert await rows(client, path) == []
    assert_problem(await client.post(f"{path}/apply"), 409, "import-wrong-state")
    assert await connection.fetchval("SELECT count(*) FROM changes") == 1


async def test_options_of_the_query(client: httpx2.AsyncClient) -> None:
    text = "Nr;Titel;Preis\nX;Öllampe;2,50\n'-1;'=a;1\n"
    path = await upload(
        client, text.encode("windows-1252"), map="sku=Nr,name=Titel,price=Preis", set="category=retail,stock=4",
        delimiter=";", encoding="windows-1252", decimal=",", escape="apostrophe",
    )  # fmt: skip
    planned = await in_state(client, path, "planned")
    assert planned["options"]["columns"] == {"sku": "Nr", "name": "Titel", "price": "Preis"}
    await step(client, path, "apply", "applied")
    goods = (await client.get("/goods?sort=name")).json()["items"]
    assert [(good["sku"], good["name"], good["price"], good["stock"], good["category"]) for good in goods] == [
        ("-1", "=a", "1.00", 4, "retail"),
        ("X", "Öllampe", "2.50", 4, "retail"),
    ]


@pytest.mark.parametrize(
    ("headers", "query", "problem"),
    [
        ({"Content-Type": "application/json"}, {}, (415, "unsupported-media-type")),
        ({}, {}, (415, "unsupported-media-type")),
        ({**_CSV, "Content-Encoding": "gzip"}, {}, (415, "unsupported-media-type")),
        (_CSV, {"map": "colour=x"}, (422, "invalid-input")),
        (_CSV, {"set": "sku=x"}, (422, "invalid-input")),
        (_CSV, {"encoding": "rot13", "delimiter": "ab"}, (422, "invalid-input")),
        (_CSV, {"dialect": "excel"}, (422, "invalid-input")),
    ],
)
async def test_an_upload_that_is_refused_leaves_nothing(
    client: httpx2.AsyncClient,
    connection: Any,
    headers: dict[str, str],
    query: dict[str, str],
    problem: tuple[int, str],
) -> None:
    assert_problem(await client.post("/imports", content=b"x", headers=headers, params=query), *problem)
    assert await connection.fetchval("SELECT count(*) FROM imports") == 0


async def test_an_upload_that_breaks_off_leaves_nothing(service: Any, connection: Any) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
    writer.write(b"POST /imports HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\nContent-Length: 5000000\r\n\r\n")
    writer.write(b"sku\n" + b"A\n" * 1_000_000)
    await writer.drain()
    await until(lambda: connection.fetchval("SELECT count(*) FROM import_chunks"))
    writer.close()
    assert reader is not None

    async def gone() -> bool:
        return bool(await connection.fetchval("SELECT count(*) = 0 FROM imports"))

    await until(gone)


async def test_an_upload_with_its_key_is_one_import(client: httpx2.AsyncClient, connection: Any) -> None:
    headers = {**_CSV, "Idempotency-Key": "delivery-1"}
    answers = [await client.post("/imports", content=_FILE, headers=headers) for _ in range(3)]
    assert {(answer.status_code, answer.headers["location"]) for answer in answers} == {(202, "/imports/1")}
    assert [answer.headers.get("idempotency-replayed") for answer in answers] == [None, "true", "true"]
    assert_problem(await client.post("/imports", content="other", headers=headers), 422, "idempotency-key-reused")
    await in_state(client, "/imports/1", "planned")
    assert await connection.fetchval("SELECT count(*) FROM imports") == 1
    key = {"Idempotency-Key": "go"}
    answers = await asyncio.gather(*(client.post("/imports/1/apply", headers=key) for _ in range(5)))
    assert {answer.status_code for answer in answers} == {202}
    await in_state(client, "/imports/1", "applied")


async def test_lists_are_paged(client: httpx2.AsyncClient) -> None:
    text = io.StringIO()
    csv.writer(text).writerows([("sku", "name", "price"), *((f"S{n}", "n", 1) for n in range(7))])
    paths = [await upload(client, text.getvalue()) for _ in range(3)]
    first = (await client.get("/imports?limit=2")).json()
    second = (await client.get(f"/imports?limit=2&after={first['next']}")).json()
    assert [item["id"] for item in first["items"] + second["items"]] == [3, 2, 1]
    assert second["next"] is None
    await in_state(client, paths[2], "planned")
    page = (await client.get(f"{paths[2]}/rows?limit=5")).json()
    rest = (await client.get(f"{paths[2]}/rows?limit=5&after={page['next']}")).json()
    assert [row["line"] for row in page["items"] + rest["items"]] == list(range(2, 9))
    assert_problem(await client.get(f"{paths[2]}/rows?after={first['next']}"), 422, "invalid-input")


async def test_what_is_not_there(client: httpx2.AsyncClient) -> None:
    for import_id in (99, 0, -1, 2**63 - 1, 2**63, -(2**70), 10**30):
        for path in ("", "/rows", "/refused.csv"):
            assert_problem(await client.get(f"/imports/{import_id}{path}"), 404, "import-not-found")
        for name in ("apply", "undo"):
            assert_problem(await client.post(f"/imports/{import_id}/{name}"), 404, "import-not-found")
    assert_problem(await client.get("/imports/x"), 422, "invalid-input")


async def test_a_step_that_kills_its_process_is_given_up_after_three_times(
    service: Any, client: httpx2.AsyncClient, connection: Any
) -> None:
    path = await upload(client)
    await in_state(client, path, "planned")
    await connection.execute(
        "UPDATE imports SET state = 'applying', attempts = 3, step_actor = 'a', step_request_id = 'r'"
    )
    service.parts.import_worker.wake()
    given_up = await in_state(client, path, "planned")
    assert given_up["problem"]["type"] == "/problems/import-interrupted"
    await step(client, path, "apply", "applied")


async def test_old_imports_and_forgotten_uploads_are_deleted(
    service: Any, client: httpx2.AsyncClient, connection: Any
) -> None:
    for _ in range(3):
        await in_state(client, await upload(client), "planned")
    await connection.execute("UPDATE imports SET created_at = now() - interval '91 days' WHERE id = 1")
    await connection.execute(
        "UPDATE imports SET uploaded_at = NULL, created_at = now() - interval '25 hours' WHERE id = 2"
    )
    await service.parts.import_worker.clean()
    assert [row["id"] for row in await connection.fetch("SELECT id FROM imports")] == [3]
    assert await connection.fetchval("SELECT count(DISTINCT import_id) FROM import_lines") == 1


async def test_a_real_retailers_file_is_undone_unless_somebody_bought(
    client: httpx2.AsyncClient, connection: Any
) -> None:
    if not REAL_FILE.exists():
        pytest.skip("not run: the retailer's file is not ours to ship, and it is not here")
    with REAL_FILE.open(encoding="utf-8", newline="") as stream:
        codes = sorted({row["StockCode"] for row in csv.DictReader(stream) if int(row["Quantity"]) > 0})
    items = [{"sku": code, "name": "Here before", "price": "7.77", "stock": 5} for code in codes[::20]]
    assert (await client.post("/goods/bulk", json={"items": items})).status_code == 200
    fields = "id, sku, name, description, category, price, stock"
    before = await connection.fetch(f"SELECT {fields} FROM goods ORDER BY id")
    assert len(before) > 150

    path = await upload(client, REAL_FILE.read_bytes(), map=_REAL_COLUMNS, set="category=retail")
    planned = await in_state(client, path, "planned")
    assert planned["counts"]["refused"] == 521
    assert planned["counts"]["created"] == 3885 - len(before)
    await step(client, path, "apply", "applied")
    after = await connection.fetch(f"SELECT {fields} FROM goods ORDER BY id")
    assert len(after) == 3885

    sold = [codes[0], codes[1]]  # one that was there, one that the import has created
    lines = [{"sku": sku, "delta": -1} for sku in sold]
    assert (await client.post("/stock", json={"lines": lines, "reason": "sale"})).status_code == 201
    await client.post(f"{path}/undo")
    refused = await in_state(client, path, "applied")
    assert refused["problem"]["type"] == "/problems/import-drift"
    assert {row["sku"] for row in await rows(client, path, result="conflict")} == set(sold)
    assert await connection.fetchval("SELECT count(*) FROM goods") == 3885

    lines = [{"sku": sku, "delta": 1} for sku in sold]
    assert (await client.post("/stock", json={"lines": lines, "reason": "return"})).status_code == 201
    await step(client, path, "undo", "undone")
    assert await connection.fetch(f"SELECT {fields} FROM goods ORDER BY id") == before
