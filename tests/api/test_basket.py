"""POST /stock: lines of several goods, all or nothing."""

from typing import Any

import httpx2
import pytest

from tests.api.support import assert_problem, changes, counted, create, movements, places, read

MOST = 2_147_483_647


async def move(client: httpx2.AsyncClient, *lines: dict[str, Any], **fields: Any) -> httpx2.Response:
    headers = fields.pop("headers", {})
    return await client.post("/stock", json={"lines": lines, "reason": "sale", **fields}, headers=headers)


async def test_the_lines_are_moved_together_and_answered_in_their_order(
    client: httpx2.AsyncClient, connection: Any
) -> None:
    lamp, wick = await create(client, sku="LAMP", stock=5), await create(client, sku="WICK", stock=40)
    answer = await move(
        client, {"sku": "WICK", "delta": -10}, {"goods_id": lamp["id"], "delta": -1}, reference="A-1173"
    )
    assert answer.status_code == 201
    moved = answer.json()["movements"]
    assert list(answer.json()) == ["movements"]
    assert [(m["goods_id"], m["goods_version"], m["delta"], m["balance"]) for m in moved] == [
        (wick["id"], 2, -10, 30),
        (lamp["id"], 2, -1, 4),
    ]
    assert {(m["reason"], m["reference"], m["actor"]) for m in moved} == {("sale", "A-1173", "anonymous")}
    for good, movement, stock in ((wick, moved[0], 30), (lamp, moved[1], 4)):
        listed = await client.get(f"/goods/{good['id']}/stock/movements")
        assert listed.json()["items"][0] == movement
        after = await read(client, good["id"])
        assert (after["stock"], after["version"], after["updated_at"]) == (stock, 2, movement["created_at"])
        entry = (await changes(connection, good["id"]))[-1]
        assert (entry["operation"], entry["before"], entry["after"]) == ("stock", good, after)
        assert entry["request_id"] == answer.headers["x-request-id"]


async def test_a_good_in_several_lines_is_moved_line_by_line_and_changed_once(
    client: httpx2.AsyncClient, connection: Any
) -> None:
    lamp, wick = await create(client, sku="LAMP", stock=5), await create(client, stock=1)
    lines = [
        {"sku": "LAMP", "delta": -5},
        {"goods_id": wick["id"], "delta": 1},
        {"goods_id": lamp["id"], "delta": 3},
        {"sku": " LAMP ", "delta": -1},
    ]
    moved = (await move(client, *lines)).json()["movements"]
    assert [(m["goods_id"], m["delta"], m["balance"]) for m in moved] == [
        (lamp["id"], -5, 0), (wick["id"], 1, 2), (lamp["id"], 3, 3), (lamp["id"], -1, 2),
    ]  # fmt: skip
    assert {m["goods_version"] for m in moved} == {2}
    ids = [m["id"] for m in moved]
    assert ids == sorted(ids)
    assert [entry["version"] for entry in await changes(connection, lamp["id"])] == [1, 2]
    assert [row["balance"] for row in await movements(connection, lamp["id"])] == [5, 0, 3, 2]
    assert (await read(client, lamp["id"]))["stock"] == 2


async def test_pieces_that_only_come_later_can_not_go_before(client: httpx2.AsyncClient) -> None:
    lamp = await create(client, sku="LAMP", stock=5)
    lines = [{"sku": "LAMP", "delta": -4}, {"sku": "LAMP", "delta": -2}, {"sku": "LAMP", "delta": 10}]
    answer = await move(client, *lines)
    assert places(assert_problem(answer, 409, "stock-too-low", requested=2, available=1)) == ["#/lines/1/delta"]
    assert await read(client, lamp["id"]) == lamp


async def test_too_little_in_any_line_moves_nothing(client: httpx2.AsyncClient, connection: Any) -> None:
    goods = [await create(client, sku=f"S{n}", stock=n) for n in range(4)]
    answer = await move(client, *({"sku": f"S{n}", "delta": -2} for n in (3, 1, 2, 0)))
    errors = assert_problem(answer, 409, "stock-too-low", requested=2, available=1)
    assert places(errors) == ["#/lines/1/delta", "#/lines/3/delta"]
    for good in goods:
        assert await read(client, good["id"]) == good
        assert len(await changes(connection, good["id"])) == 1


async def test_too_much_in_any_line_moves_nothing(client: httpx2.AsyncClient) -> None:
    lamp, wick = await create(client, sku="LAMP", stock=MOST), await create(client, sku="WICK", stock=1)
    answer = await move(client, {"sku": "WICK", "delta": 1}, {"sku": "LAMP", "delta": 1})
    assert places(assert_problem(answer, 409, "stock-too-high")) == ["#/lines/1/delta"]
    # Also where it would fall again, and where the sum of many is far beyond what a column holds.
    answer = await move(client, {"sku": "WICK", "delta": MOST}, {"sku": "WICK", "delta": -MOST})
    assert places(assert_problem(answer, 409, "stock-too-high")) == ["#/lines/0/delta"]
    answer = await move(client, *({"sku": "WICK", "delta": MOST} for _ in range(500)))
    assert len(assert_problem(answer, 409, "stock-too-high")) == 500
    answer = await move(client, *({"sku": "LAMP", "delta": -MOST - 1} for _ in range(500)))
    assert len(assert_problem(answer, 409, "stock-too-low", requested=MOST + 1, available=MOST)) == 500
    for good in (lamp, wick):
        assert await read(client, good["id"]) == good


async def test_goods_that_are_not_there_are_named_by_their_lines(client: httpx2.AsyncClient) -> None:
    lamp = await create(client, sku="LAMP", stock=5)
    answer = await move(
        client,
        {"sku": "lamp", "delta": -1},
        {"sku": "LAMP", "delta": -9},
        {"goods_id": 99, "delta": 1},
        *({"goods_id": impossible, "delta": 1} for impossible in (0, -1, 2**63, 10**40)),
    )
    errors = assert_problem(answer, 404, "goods-not-found")
    assert places(errors) == ["#/lines/0/sku", *(f"#/lines/{n}/goods_id" for n in range(2, 7))]
    assert await read(client, lamp["id"]) == lamp


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"lines": [], "reason": "sale"}, "#/lines"),
        ({"reason": "sale"}, "#/lines"),
        ({"lines": [{"sku": "A", "delta": 1}] * 501, "reason": "sale"}, "#/lines"),
        ({"lines": [{"sku": "A", "delta": 1}, {"delta": 1}], "reason": "sale"}, "#/lines/1"),
        ({"lines": [{"sku": "A", "goods_id": 1, "delta": 1}], "reason": "sale"}, "#/lines/0"),
        ({"lines": [{"sku": None, "goods_id": 1, "delta": 1}], "reason": "sale"}, "#/lines/0/sku"),
        ({"lines": [{"sku": "A", "delta": 0}], "reason": "sale"}, "#/lines/0/delta"),
        ({"lines": [{"sku": "A", "delta": MOST + 1}], "reason": "sale"}, "#/lines/0/delta"),
        ({"lines": [{"sku": "A", "delta": 1, "reason": "sale"}], "reason": "sale"}, "#/lines/0/reason"),
        ({"lines": [{"sku": "/", "delta": 1}], "reason": "sale"}, "#/lines/0/sku"),
        ({"lines": [{"goods_id": "1", "delta": 1}], "reason": "sale"}, "#/lines/0/goods_id"),
        ({"lines": ["A"], "reason": "sale"}, "#/lines/0"),
        ({"lines": [{"sku": "A", "delta": 1}]}, "#/reason"),
        ({"lines": [{"sku": "A", "delta": 1}], "reason": "import"}, "#/reason"),
        ({"lines": [{"sku": "A", "delta": 1}], "reason": "sale", "reference": "x" * 201}, "#/reference"),
        ({"lines": [{"sku": "A", "delta": 1}], "reason": "sale", "actor": "x"}, "#/actor"),
    ],
)
async def test_what_is_no_basket_is_refused_with_its_place(client: httpx2.AsyncClient, body: Any, place: str) -> None:
    good = await create(client, sku="A", stock=1)
    answer = await client.post("/stock", json=body)
    assert places(assert_problem(answer, 422, "invalid-input")) == [place]
    assert await read(client, good["id"]) == good


async def test_a_basket_has_up_to_500_lines(client: httpx2.AsyncClient, connection: Any) -> None:
    bulk = {"items": [{"sku": f"S{n}", "name": "n", "price": 1, "stock": n} for n in range(500)]}
    assert (await client.post("/goods/bulk", json=bulk)).status_code == 200
    answer = await move(client, *({"sku": f"S{n}", "delta": n + 1} for n in reversed(range(500))))
    assert [m["balance"] for m in answer.json()["movements"]] == [2 * n + 1 for n in reversed(range(500))]
    assert await connection.fetchval("SELECT sum(stock) FROM goods") == 500 * 500


async def test_a_basket_that_is_sent_again_with_its_key_is_moved_once(client: httpx2.AsyncClient) -> None:
    good = await create(client, sku="A", stock=5)
    key = {"Idempotency-Key": "order-1173"}
    line = {"sku": "A", "delta": -4}
    first, again = [await move(client, line, headers=key) for _ in range(2)]
    assert (again.status_code, again.text) == (201, first.text)
    assert again.headers["idempotency-replayed"] == "true"
    assert (await read(client, good["id"]))["stock"] == 1
    # A refusal is not kept: when there is enough, the same request succeeds.
    key = {"Idempotency-Key": "order-1174"}
    assert_problem(await move(client, line, headers=key), 409, "stock-too-low", requested=4, available=1)
    await move(client, {"sku": "A", "delta": 3}, reason="receipt")
    assert (await move(client, line, headers=key)).status_code == 201


async def test_lines_are_counted_when_moved_and_requests_when_refused(client: httpx2.AsyncClient) -> None:
    names = (
        ("goods_stock_movements_total", {"reason": "return"}),
        ("goods_stock_refused_total", {"reason": "return"}),
        ("goods_operations_total", {"operation": "basket", "result": "ok"}),
        ("goods_operations_total", {"operation": "basket", "result": "refused"}),
    )
    before = [await counted(client, name, **labels) for name, labels in names]
    for sku in "AB":
        await create(client, sku=sku, stock=2)
    for delta in (1, -1, -9):
        await move(client, *({"sku": sku, "delta": delta} for sku in "AB"), reason="return")
    after = [await counted(client, name, **labels) for name, labels in names]
    assert [now - then for now, then in zip(after, before, strict=True)] == [4, 1, 2, 1]
