"""Whatever is sent, the service does not fail; what it refuses changes nothing, what it takes is stored as it came."""

import base64
import json
import re
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote, unquote_plus

import pytest

from tests.conftest import Service
from tests.contract import poison
from tests.contract.attack import Attack, a_good
from tests.contract.poison import MAX_STOCK, PARTS, VALUES, exchange, meant, problem, request

_WRITABLE = ["sku", "name", "description", "category", "price", "stock"]
_READ_ONLY = ["id", "version", "created_at", "updated_at"]
_TEXTS = {"sku", "name", "description", "category"}
_MUST_BE_TAKEN = {
    **{field: set(poison.ODD_TEXTS) for field in ("name", "description", "category")},
    "sku": {"quotes", "sql", "percent and underscore", "emoji as a pair of escapes", "markup", "formula", "word"},
    "price": {"0", "7", "5.0", "1.10", "1e2", "9999999999.99", "'24.90' as text"},
    "stock": {"0", "7", "5.0", str(MAX_STOCK)},
}


@pytest.fixture
async def attack(service: Service, connection: Any) -> Attack:
    return Attack(service, connection)


async def stored(connection: Any, goods_id: int) -> dict[str, Any]:
    return dict(await connection.fetchrow("SELECT * FROM goods WHERE id = $1", goods_id))


def kept(field: str, sent: Any) -> Any:
    """What an accepted value has to become; ValueError for what is no value of this field at all."""
    if sent is None and field in ("description", "category"):
        return ""
    if field in _TEXTS and isinstance(sent, str):
        return sent.strip() if field == "sku" else sent
    if field == "price" and isinstance(sent, str) and re.fullmatch(r"[0-9]+(\.[0-9]{1,2})?", sent, re.ASCII):
        return Decimal(sent)
    if field.endswith("_at") and isinstance(sent, str):
        return datetime.fromisoformat(sent)
    if field not in _TEXTS and isinstance(sent, (int, Decimal)) and not isinstance(sent, bool):
        return sent
    raise ValueError(f"taken as {field}")


def shown(row: dict[str, Any]) -> dict[str, Any]:
    moments = {name: f"{row[name]:%Y-%m-%dT%H:%M:%S.%fZ}" for name in ("created_at", "updated_at")}
    return {**row, **moments, "price": f"{row['price']:.2f}"}


@pytest.mark.parametrize("field", _WRITABLE + _READ_ONLY)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
async def test_no_value_of_a_field_is_a_fault_or_is_stored_as_another(
    service: Service, connection: Any, attack: Attack, method: str, field: str
) -> None:
    goods_id = await a_good(service, sku="LAN-1", description="old", category="old", stock=3)
    before = await stored(connection, goods_id)
    for label, text in VALUES.items():
        fields = {"name": '"Wick"', "price": "2"} if method != "PATCH" else {}
        body = "{" + ",".join(f'"{name}":{value}' for name, value in {**fields, field: text}.items()) + "}"
        target = "/goods" if method == "POST" else f"/goods/{goods_id}"
        sent = "canary" if "canary" in text else text.strip('"')
        answer = await attack.send(label, request(method, target, body.encode()), sent=sent, places={f"#/{field}"})
        must = label in _MUST_BE_TAKEN.get(field, set()) and not (method == "POST" and field in _READ_ONLY)
        attack.check(f"{label}: refused", right=answer is not None or not must)
        if answer is None:
            continue
        document = json.loads(answer.body)
        after = await stored(connection, document["id"])
        try:
            wanted = kept(field, meant(text))
        except ValueError as error:
            attack.wrong.append(f"{label}: {error}")
            continue
        attack.check(f"{label}: stored as {after[field]!r}", right=after[field] == wanted)
        attack.check(f"{label}: answered as {document[field]!r}", right=document == shown(after))
        if method == "PATCH":
            others = set(after) - {field, "version", "updated_at"}
            attack.check(f"{label}: more was changed", right=all(after[name] == before[name] for name in others))
            before = after
        again = await exchange(service.port, request("GET", f"/goods/{document['id']}"))
        attack.check(f"{label}: read as {again.body!r}", right=json.loads(again.body) == document)
    await attack.over()
    assert method == "POST" or await connection.fetchval("SELECT count(*) FROM goods") == 1


@pytest.mark.parametrize("field", ["delta", "reason", "reference", "sku", "goods_id"])
async def test_no_value_of_a_movement_is_a_fault_or_is_stored_as_another(
    service: Service, connection: Any, attack: Attack, field: str
) -> None:
    goods_id = await a_good(service, sku="7", stock=3)
    for label, text in VALUES.items():
        named = {"sku": '"7"'} if field != "goods_id" else {}
        fields = {**named, "delta": "1", "reason": '"count"', "reference": '""', field: text}
        of_line = {"sku", "goods_id", "delta"} & set(fields)
        line, rest = (
            ",".join(f'"{name}":{fields[name]}' for name in names) for names in (of_line, fields.keys() - of_line)
        )
        shapes = [
            ("/stock", f'{{"lines":[{{{line}}}],{rest}}}', f"#/lines/0/{field}" if field in of_line else f"#/{field}")
        ]
        if field not in ("sku", "goods_id"):
            alone = f'"delta":{fields["delta"]},{rest}'
            shapes.append((f"/goods/{goods_id}/stock", f"{{{alone}}}", f"#/{field}"))
        sent = "canary" if "canary" in text else text.strip('"')
        for target, body, place in shapes:
            answer = await attack.send(label, request("POST", target, body.encode()), sent=sent, places={place})
            must = field == "reference" and label in poison.ODD_TEXTS
            attack.check(f"{label}: refused", right=answer is not None or not must)
            if answer is not None:
                stored = await connection.fetchrow("SELECT * FROM stock_movements ORDER BY id DESC LIMIT 1")
                wanted = meant(text).strip() if field == "sku" else meant(text)
                kept = "7" if field == "sku" else stored[field]
                attack.check(f"{label}: stored as {kept!r}", right=kept == wanted)
    await attack.over()


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
async def test_an_unknown_field_is_named_whatever_its_name(service: Service, attack: Attack, method: str) -> None:
    target = "/goods" if method == "POST" else f"/goods/{await a_good(service)}"
    for label, name in poison.NAMES.items():
        answer = await attack.send(label, request(method, target, f'{{"name":"a","price":1,{name}:1}}'.encode()))
        attack.check(f"{label}: taken", right=answer is None)
    await attack.over()


async def test_a_pointer_is_one_that_a_url_can_hold(service: Service) -> None:
    body = json.dumps({"name": "a", "price": 1, "a/b~c%20d e": 1}).encode()
    (error,) = problem(await exchange(service.port, request("POST", "/goods", body)), 422, "invalid-input")
    assert error["pointer"] == "#/a~1b~0c%2520d%20e"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
async def test_a_body_that_is_no_json_object_is_refused(service: Service, attack: Attack, method: str) -> None:
    goods_id = await a_good(service)
    for target in ("/goods", f"/goods/{goods_id}/stock", "/stock") if method == "POST" else (f"/goods/{goods_id}",):
        for label, body in poison.BODIES.items():
            answer = await attack.send(label, request(method, target, body), sent="canary")
            attack.check(f"{label} to {target}: taken", right=answer is None)
    await attack.over()


_LIST = ["category", "min_price", "max_price", "in_stock", "sort", "limit", "after", "count"]


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        *(("/goods", name) for name in (*_LIST, "q", "offset")),
        *(("/categories", name) for name in ("limit", "after")),
        *(("/goods/1/stock/movements", name) for name in ("limit", "after", "reason")),
    ],
)
async def test_no_value_of_a_query_parameter_is_a_fault(
    service: Service, attack: Attack, path: str, parameter: str
) -> None:
    for category in ("a", "%", "a_", "_", "%%", "'", "canary"):
        await a_good(service, category=category)
    for part in PARTS + poison.TOKENS:
        raw = request("GET", f"{path}?{parameter}={part}")
        answer = await attack.send(part[:60], raw, sent=part, places={parameter, "query"})
        if answer is not None and parameter == "category":
            found = {item["category"] for item in json.loads(answer.body)["items"]}
            attack.check(f"{part}: not exactly", right=found <= {unquote_plus(part)})
    await attack.over()


@pytest.mark.parametrize(
    "query",
    [
        *(f"{part}=1" for part in PARTS[:40]),
        *("&" * 40_000, "=", "a", "limit", "limit=1&limit=1", "limit=1&limit=2", "limit[]=1", "limit=1;sort=id"),
        *("&".join(f"k{n}=1" for n in range(5000)), "limit=%31", "l%69mit=1", "limit=1&%6Cimit=1", "limit\x7f=1"),
    ],
    ids=lambda query: query[:30],
)  # fmt: skip
async def test_no_name_of_a_query_parameter_is_a_fault(attack: Attack, query: str) -> None:
    for path in ("/goods", "/categories", "/goods/1", "/livez"):
        answer = await attack.send(path, request("GET", f"{path}?{query}"))
        attack.check(f"{path}: taken", right=answer is None or query in ("&" * 40_000, "limit=%31", "l%69mit=1", "="))
    await attack.over()


def _tokens(token: str) -> Iterator[tuple[str, str]]:
    """Tokens of the same list as `token`, with a position that is none."""
    scope, *position = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    for label, text in VALUES.items():
        for place in range(len(position)):
            parts = [json.dumps(part) for part in (scope, *position)]
            parts[place + 1] = text
            raw = f"[{','.join(parts)}]".encode()
            yield label, base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "path",
    [
        *(f"/goods?sort={sort}&" for sort in ("id", "name", "-price", "stock", "-created_at")),
        "/categories?",
        "/goods/1/stock/movements?",
    ],
)
async def test_a_forged_page_token_is_no_fault(service: Service, attack: Attack, path: str) -> None:
    for name in ("a", "b"):
        await a_good(service, name=name, category=name, stock=3)
    for delta in (b"1", b"-1"):
        moved = request("POST", "/goods/1/stock", b'{"delta":%s,"reason":"count"}' % delta)
        assert (await exchange(service.port, moved)).status == 201
    page = await exchange(service.port, request("GET", f"{path}limit=1"))
    for label, token in _tokens(json.loads(page.body)["next"]):
        await attack.send(label, request("GET", f"{path}after={quote(token)}"), sent=token, places={"after"})
    await attack.over()


@pytest.mark.parametrize(
    "path",
    [
        "/goods/{}",
        "/goods/by-sku/{}",
        "/problems/{}",
        "/docs/assets/{}",
        "/{}",
        "/goods/{}/stock",
        "/goods/{}/stock/movements",
    ],
)
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "POST"])
async def test_no_part_of_a_path_is_a_fault(service: Service, attack: Attack, method: str, path: str) -> None:
    await a_good(service)
    for part in PARTS:
        body = None if method in ("GET", "DELETE") else b'{"name":"a","price":1}'
        places = {"goods_id", "sku", "path", "query", "#/name", "#/price", "#/sku", "#/delta", "#/reason"}
        await attack.send(part[:60], request(method, path.format(part), body), sent=part, places=places)
    await attack.over()


@pytest.mark.parametrize(
    "target",
    [
        *(b"/goods/\xff", b"/goods?category=\xff", b"/goods?category=\xc3\xa9", b"/\x1b[31m", b"/\x00"),
        *(b"/a b", b"//", b"/..", b"*", b"", b"?", b"#", b"http://[", b"http://a"),
        *(b"http://a:99999999/goods", b"/goods#%00", b"goods.test:80", b"/%"),
        b"/" + b"a" * 70_000,
    ],
)  # fmt: skip
async def test_no_target_is_a_fault(attack: Attack, target: bytes) -> None:
    for method in ("GET", "OPTIONS", "CONNECT", "TRACE"):
        await attack.send(method, request(method, target))
    await attack.over()


_HEADERS = "If-Match If-None-Match X-Request-ID traceparent Content-Type Accept Idempotency-Key Host".split()  # noqa: SIM905 - in one line
_TARGETS = [
    *("GET /goods/1", "GET /goods?limit=1", "POST /goods", "PUT /goods/1", "PATCH /goods/1"),
    "POST /goods/1/stock",
]
_CHOOSING = ["GET /metrics", "GET /problems/sku-taken"]  # they look at Accept


@pytest.mark.parametrize("header", _HEADERS)
async def test_no_value_of_a_header_is_a_fault(service: Service, attack: Attack, header: str) -> None:
    for _ in range(2):
        await a_good(service)
    for asked in _TARGETS + _CHOOSING * (header in ("Accept", "Host")):
        method, target = asked.split()
        for value in poison.HEADER_VALUES:
            changed = b'{"delta":1,"reason":"count"}' if target.endswith("stock") else b'{"name":"a","price":1}'
            body = None if method == "GET" else changed
            label = f"{asked} {value[:40]!r}"
            answer = await attack.send(label, request(method, target, body, {header: value}), sent="canary")
            attack.check(f"{label}: injected", right=answer is None or "x-injected" not in answer.headers)
    await attack.over()


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
async def test_no_content_length_is_a_fault(service: Service, attack: Attack, method: str) -> None:
    target = "/goods" if method == "POST" else f"/goods/{await a_good(service)}"
    for value in poison.CONTENT_LENGTHS:
        raw = request(method, target, b"{}", {"Content-Length": value})
        attack.check(f"{value!r}: taken", right=await attack.send(repr(value[:40]), raw) is None)
    await attack.over()
