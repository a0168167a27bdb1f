"""Exercise every route of a running peer: `python check.py http://127.0.0.1:PORT`. Says "ok" or fails."""
# ruff: noqa: S101

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

FIELDS = ["id", "sku", "name", "description", "category", "price", "stock", "version"]
TIMES = ["created_at", "updated_at"]


def call(method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """Send one request; returns the status and the decoded body."""
    connection = HTTPConnection(urlsplit(sys.argv[1]).netloc, timeout=10)
    headers = {} if body is None else {"Content-Type": "application/json"}
    connection.request(method, path, None if body is None else json.dumps(body), headers)
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response.status, json.loads(content) if content else None


def expect(status: int, method: str, path: str, body: Any = None) -> Any:
    found, answer = call(method, path, body)
    assert found == status, f"{method} {path} {body}: {found} instead of {status}: {answer}"
    return answer


def names(**filters: Any) -> list[str]:
    """Return the names of the goods that a list with these filters shows, in its order."""
    answer = expect(200, "GET", f"/goods?{urlencode(filters)}")
    assert list(answer) == ["items"]
    assert all(list(good) == FIELDS + TIMES for good in answer["items"])
    return [good["name"] for good in answer["items"]]


def check_one(mark: str) -> None:
    given = {"sku": f"{mark}/1", "name": "Lantern é", "description": "white", "category": mark}
    good = expect(201, "POST", "/goods", given | {"price": "12.5", "stock": 3})
    path = f"/goods/{good['id']}"
    assert list(good) == FIELDS + TIMES
    assert {key: good[key] for key in given} == given
    assert (good["price"], good["stock"], good["version"]) == ("12.50", 3, 1)
    for key in TIMES:
        assert good[key].endswith("Z"), good[key]
        assert abs((datetime.now(UTC) - datetime.fromisoformat(good[key])).total_seconds()) < 60
    assert expect(200, "GET", path) == good

    bare = expect(201, "POST", "/goods", {"sku": f"{mark}/2", "name": "Cup", "price": 9999999999.99})
    assert bare["price"] == "9999999999.99"
    assert (bare["description"], bare["category"], bare["stock"]) == ("", "", 0)

    put = expect(200, "PUT", path, {"sku": f"{mark}/3", "name": "Lamp", "category": mark, "price": "7"})
    assert (put["sku"], put["name"], put["description"]) == (f"{mark}/3", "Lamp", "")
    assert (put["price"], put["stock"], put["version"]) == ("7.00", 0, 2)
    assert put["created_at"] == good["created_at"]
    assert datetime.fromisoformat(put["updated_at"]) >= datetime.fromisoformat(good["updated_at"])

    patch = expect(200, "PATCH", path, {"price": "8.05", "stock": 10})
    assert (patch["price"], patch["stock"], patch["version"], patch["name"]) == ("8.05", 10, 3, "Lamp")
    assert expect(200, "GET", path) == patch

    moved = expect(200, "POST", f"{path}/stock", {"delta": -4})
    assert (moved["stock"], moved["version"]) == (6, 4)
    assert expect(200, "POST", f"{path}/stock", {"delta": 1})["stock"] == 7
    expect(409, "POST", f"{path}/stock", {"delta": -8})
    expect(409, "POST", f"{path}/stock", {"delta": 2147483647})
    assert expect(200, "GET", path)["stock"] == 7

    taken = {"sku": f"{mark}/2", "name": "Other", "price": "1"}
    expect(409, "POST", "/goods", taken)
    expect(409, "PUT", path, taken)
    expect(409, "PATCH", path, {"sku": f"{mark}/2"})

    expect(204, "DELETE", path)
    expect(204, "DELETE", f"/goods/{bare['id']}")
    expect(404, "GET", path)
    expect(404, "DELETE", path)
    expect(404, "PUT", path, given | {"price": "1"})
    expect(404, "PATCH", path, {"stock": 1})
    expect(404, "POST", f"{path}/stock", {"delta": 1})


def check_list(mark: str) -> None:
    rows = [("d", "4.00", 0), ("a", "2.00", 5), ("c", "2.00", 1), ("b", "10.00", 0)]
    ids = [
        expect(
            201,
            "POST",
            "/goods",
            {"sku": f"{mark}-{name}", "name": name, "category": mark, "price": price, "stock": stock},
        )["id"]
        for name, price, stock in rows
    ]
    assert names(category=mark) == ["d", "a", "c", "b"]
    assert names(category=mark, sort="name") == ["a", "b", "c", "d"]
    assert names(category=mark, sort="-name") == ["d", "c", "b", "a"]
    assert names(category=mark, sort="price") == ["a", "c", "d", "b"]
    assert names(category=mark, sort="-price") == ["b", "d", "a", "c"]
    assert names(category=mark, sort="-stock", limit=1) == ["a"]
    assert names(category=mark, sort="-id") == ["b", "c", "a", "d"]
    assert names(category=mark, sort="created_at") == ["d", "a", "c", "b"]
    assert names(category=mark, sort="-updated_at") == ["b", "c", "a", "d"]
    assert names(category=mark, sort="name", limit=2, offset=1) == ["b", "c"]
    assert names(category=mark, in_stock="true") == ["a", "c"]
    assert names(category=mark, in_stock="false") == ["d", "b"]
    assert names(category=mark, min_price="4") == ["d", "b"]
    assert names(category=mark, max_price="4.00") == ["d", "a", "c"]
    assert names(category=mark, min_price="2.01", max_price="9.99") == ["d"]
    every = {"min_price": "1", "max_price": "3", "in_stock": "true", "sort": "-created_at"}
    assert names(category=mark, limit=500, offset=0, **every) == ["c", "a"]
    assert names(category=f"{mark}'") == []
    assert 1 <= len(names()) <= 50
    for good_id in ids:
        expect(204, "DELETE", f"/goods/{good_id}")


def check_bad_input(mark: str) -> None:
    valid = {"sku": mark, "name": "n", "price": "1"}
    bad_bodies: list[tuple[str, Any]] = [
        *(("sku", value) for value in ("", "s" * 65)),
        *(("name", value) for value in ("", "n" * 201)),
        *(("price", value) for value in ("-1", "1.234", "10000000000", "NaN", "x", 1e21)),
        *(("stock", value) for value in (-1, 2147483648, 1.5, "x")),
    ]
    for field, value in bad_bodies:
        status, answer = call("POST", "/goods", valid | {field: value})
        assert status in {400, 422}, (field, value, status, answer)
    for field in valid:
        body = {key: value for key, value in valid.items() if key != field}
        assert call("POST", "/goods", body)[0] in {400, 422}, body
    for query in ("limit=0", "limit=501", "offset=-1", "sort=sku", "min_price=x", "in_stock=perhaps"):
        assert call("GET", f"/goods?{query}")[0] in {400, 422}, query
    assert call("GET", "/goods/x")[0] in {400, 422}
    assert call("POST", "/goods/1/stock", {"delta": "x"})[0] in {400, 422}
    assert call("POST", "/goods/1/stock", {})[0] in {400, 422}


def check_race(mark: str) -> None:
    """Forty clients take one of thirty: thirty get it, and every change raised the version by one."""
    body = {"sku": mark, "name": "n", "price": "1", "stock": 30}
    path = f"/goods/{expect(201, 'POST', '/goods', body)['id']}"
    with ThreadPoolExecutor(40) as clients:
        found = [status for status, _ in clients.map(lambda _: call("POST", f"{path}/stock", {"delta": -1}), range(40))]
    assert sorted(found) == [200] * 30 + [409] * 10, found
    good = expect(200, "GET", path)
    assert (good["stock"], good["version"]) == (0, 31)
    expect(204, "DELETE", path)


if __name__ == "__main__":
    for check in (check_one, check_list, check_bad_input, check_race):
        check(f"check-{uuid4().hex[:12]}")
    print("ok")
