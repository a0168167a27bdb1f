"""Every error has one shape, one line in the log and one place in the counters, whoever noticed it.

`python -m tests.contract.test_errors > docs/reference/errors.md` writes the reference anew from the catalogue.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.config.conf import Settings
from app.errors.catalogue import PROBLEMS
from app.server.protocol import ProtocolLimits
from tests.conftest import until
from tests.contract.poison import Answer, exchange, parsed, problem, request
from tests.contract.test_access_log import Watched, watched

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "errors.md"
_INTRODUCTION = """# Errors

Every error answer is `application/problem+json` (RFC 9457); [api.md](api.md) shows one. Its `type` is
`/problems/<name>`, a page that the service itself serves. Names never change.

| name | status | meaning | what to do |
|---|---|---|---|
"""
_MAX_BODY = 16_384
_GOOD = b'{"sku":"A","name":"a","price":1}'
_CHUNKED: Mapping[str, bytes | str] = {"Transfer-Encoding": "chunked", "Content-Type": "application/json"}


def reference() -> str:
    """The text of docs/reference/errors.md."""
    rows = (f"| `{each.name}` | {each.status} | {each.meaning} | {each.remedy} |\n" for each in PROBLEMS.values())
    return _INTRODUCTION + "".join(rows)


async def _fault() -> None:
    raise RuntimeError("password=hunter2secret in SELECT * FROM goods")


@pytest.fixture(scope="module")
async def service(settings: Settings, connection: Any) -> AsyncIterator[Watched]:
    """Short deadlines, small bodies, If-Match required, and one path that is broken. It holds one good, with SKU A."""
    changes = {"body_timeout": 0.2, "max_body_bytes": _MAX_BODY, "require_if_match": True}
    limits = ProtocolLimits(header_timeout=0.3)
    await connection.execute("TRUNCATE goods, stock_movements, changes RESTART IDENTITY")
    async with watched(settings.model_copy(update=changes), limits=limits) as made:
        made.app.add_api_route("/fault", _fault, methods=["GET"])
        assert (await exchange(made.port, request("POST", "/goods", _GOOD))).status == 201
        yield made


async def counts(service: Watched) -> dict[tuple[str, str, str], float]:
    """http_requests_total by method, route and status, the reading of it left out."""
    text = (await exchange(service.port, request("GET", "/metrics"))).body.decode()
    return {
        (sample.labels["method"], sample.labels["route"], sample.labels["status"]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "http_requests_total" and sample.labels["route"] != "/metrics"
    }


async def one_error(
    service: Watched, raw: bytes, status: int, name: str, *, method: str, route: str
) -> tuple[Answer, list[dict[str, str]]]:
    """Send it, and hold that it is this problem, with one access line and counted once."""
    before, known = await counts(service), len(service.access_lines())
    answer = await exchange(service.port, raw)
    members = {"requested": 1, "available": 0} if name == "stock-too-low" else {}
    errors = problem(answer, status, name, **members)
    body = json.loads(answer.body)
    assert body["title"] == PROBLEMS[name].title
    assert PROBLEMS[name].status == status
    after = await counts(service)
    key = (method or "_OTHER", route, str(status))
    assert {key: after[key] - before.get(key, 0) for key in after if after[key] != before.get(key)} == {key: 1}
    # The reading of the counters comes after it, so once that has its line, all lines are there.
    await until(lambda: len(service.access_lines()) >= known + 2)
    lines = [line for line in service.access_lines()[known:] if line["path"] != "/metrics"]
    assert [(line["request_id"], line["status"], line["route"]) for line in lines] == [
        (body["request_id"], status, route)
    ]
    return answer, errors


_JSON: Mapping[str, bytes | str] = {"Content-Type": "application/json"}
_ERRORS: dict[str, tuple[bytes, int, str, str, str]] = {
    "unknown path": (request("GET", "/none"), 404, "not-found", "GET", "__unmatched__"),
    "unknown good": (request("GET", "/goods/99"), 404, "goods-not-found", "GET", "/goods/{goods_id}"),
    "unknown problem": (request("GET", "/problems/x"), 404, "problem-not-found", "GET", "/problems/{name}"),
    "method that the path lacks": (request("DELETE", "/goods"), 405, "method-not-allowed", "DELETE", "/goods"),
    "method of others": (request("PURGE", "/goods"), 405, "method-not-allowed", "_OTHER", "/goods"),
    "announced too large": (request("POST", "/goods", b"x" * 500_000), 413, "body-too-large", "POST", "/goods"),
    "chunks too large": (
        request("POST", "/goods", headers=_CHUNKED) + b"10000\r\n%s\r\n" % (b"x" * 65_536) * 20 + b"0\r\n\r\n",
        *(413, "body-too-large", "POST", "/goods"),
    ),
    "content type": (
        request("POST", "/goods", _GOOD, {"Content-Type": "text/plain"}),
        *(415, "unsupported-media-type", "POST", "/goods"),
    ),
    "content encoding": (
        request("POST", "/goods", _GOOD, {"Content-Encoding": "gzip"}),
        *(415, "unsupported-media-type", "POST", "/goods"),
    ),
    "merge patch in POST": (
        request("POST", "/goods", _GOOD, {"Content-Type": "application/merge-patch+json"}),
        *(415, "unsupported-media-type", "POST", "/goods"),
    ),
    "malformed JSON": (request("POST", "/goods", b"{"), 400, "malformed-json", "POST", "/goods"),
    "slow body": (
        request("POST", "/goods", b"{", {"Content-Length": "10"}),
        *(408, "request-timeout", "POST", "/goods"),
    ),
    "invalid field": (request("POST", "/goods", b'{"name":1}'), 422, "invalid-input", "POST", "/goods"),
    "invalid parameter": (request("GET", "/goods?limit=x"), 422, "invalid-input", "GET", "/goods"),
    "SKU taken": (request("POST", "/goods", _GOOD), 409, "sku-taken", "POST", "/goods"),
    "another version in the body": (
        request("PATCH", "/goods/1", b'{"version":7}', {"If-Match": "*"}),
        *(409, "version-conflict", "PATCH", "/goods/{goods_id}"),
    ),
    "another version in If-Match": (
        request("PATCH", "/goods/1", b"{}", {"If-Match": '"1-7"'}),
        *(412, "precondition-failed", "PATCH", "/goods/{goods_id}"),
    ),
    "too little stock": (
        request("POST", "/goods/1/stock", b'{"delta":-1,"reason":"sale"}'),
        *(409, "stock-too-low", "POST", "/goods/{goods_id}/stock"),
    ),
    "too much stock": (
        request("POST", "/stock", b'{"lines":[%s,%s],"reason":"count"}' % ((b'{"sku":"A","delta":2147483647}',) * 2)),
        *(409, "stock-too-high", "POST", "/stock"),
    ),
    "no If-Match": (request("DELETE", "/goods/1"), 428, "precondition-required", "DELETE", "/goods/{goods_id}"),
    "fault": (request("GET", "/fault"), 500, "internal-error", "GET", "/fault"),
    "unknown method": (request("FOO", "/goods"), 400, "malformed-request", "", "__unmatched__"),
    "no HTTP": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, "malformed-request", "", "__unmatched__"),
    "another version of HTTP": (b"GET / HTTP/3.7\r\nHost: a\r\n\r\n", 400, "malformed-request", "", "__unmatched__"),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", 400, "malformed-request", "", "__unmatched__"),
    "line end in a header": (
        request("GET", "/goods", headers={"X-A": b"a\nb"}),
        *(400, "malformed-request", "", "__unmatched__"),
    ),
    "folded header": (
        request("GET", "/goods", headers={"X-A": b"a\r\n b"}),
        *(400, "malformed-request", "", "__unmatched__"),
    ),
    "two lengths": (
        request("POST", "/goods", _GOOD, {"Content-Length": b"2\r\nContent-Length: 3"}),
        *(400, "malformed-request", "", "__unmatched__"),
    ),
    "slow head": (b"GET / HTTP/1.1\r\nHost: a", 408, "request-timeout", "", "__unmatched__"),
    "large head": (
        request("GET", "/", headers={"X-A": "a" * 70_000}),
        *(431, "head-too-large", "", "__unmatched__"),
    ),
    "broken chunk": (
        request("POST", "/goods", headers=_CHUNKED) + b"zz\r\n{}\r\n",
        *(400, "malformed-request", "POST", "/goods"),
    ),
}


@pytest.mark.parametrize("case", _ERRORS)
async def test_an_error_has_the_shape_of_all_errors_one_line_and_one_count(service: Watched, case: str) -> None:
    raw, status, name, method, route = _ERRORS[case]
    await one_error(service, raw, status, name, method=method, route=route)


async def test_input_that_is_wrong_is_named_with_its_place(service: Watched) -> None:
    _, errors = await one_error(service, *_ERRORS["invalid field"][:3], method="POST", route="/goods")
    assert [(error["pointer"], error["detail"]) for error in errors] == [
        ("#/name", "must be a text"),
        ("#/price", "is required"),
    ]
    _, errors = await one_error(service, *_ERRORS["invalid parameter"][:3], method="GET", route="/goods")
    assert [error["parameter"] for error in errors] == ["limit"]
    raw, status, name, method, route = _ERRORS["no If-Match"]
    _, errors = await one_error(service, raw, status, name, method=method, route=route)
    assert [error["header"] for error in errors] == ["If-Match"]


async def test_more_names_than_anything_has_are_one_error(service: Watched) -> None:
    body = json.dumps({f"k{n}": 1 for n in range(1001)}).encode()
    (error,) = problem(await exchange(service.port, request("POST", "/goods", body)), 422, "invalid-input")
    assert error == {"pointer": "#", "detail": "has an object with more than 1000 names"}


async def test_405_names_every_method_of_the_path(service: Watched) -> None:
    raw = request("POST", "/goods/1", b"{}")
    answer, _ = await one_error(service, raw, 405, "method-not-allowed", method="POST", route="/goods/{goods_id}")
    assert answer.headers["allow"] == "DELETE, GET, HEAD, PATCH, PUT"


async def test_a_body_that_breaks_later_is_answered_once(service: Watched) -> None:
    before, known = await counts(service), len(service.access_lines())
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
    writer.write(request("POST", "/goods", headers=_CHUNKED) + b'2\r\n{"\r\n')
    running = service.parts.exposition.registry.get_sample_value
    await until(lambda: running("http_requests_in_progress", {"method": "POST"}) == 1)
    writer.write(b"no length\r\nGET /goods HTTP/1.1\r\nHost: a\r\n\r\n")
    problem(parsed(await reader.read()), 400, "malformed-request")
    writer.close()
    after = await counts(service)
    assert sum(after.values()) - sum(before.values()) == 1
    assert [line["status"] for line in service.access_lines()[known:] if line["path"] == "/goods"] == [400]


async def test_a_fault_of_ours_is_told_to_the_log_and_to_nobody_else(service: Watched) -> None:
    known = len(service.lines())
    answer, errors = await one_error(service, *_ERRORS["fault"][:3], method="GET", route="/fault")
    assert errors == []
    assert not any(word in answer.body for word in (b"hunter2", b"SELECT", b"RuntimeError", b"Traceback", b".py"))
    request_id = answer.headers["x-request-id"]
    lines = [line for line in service.lines()[known:] if line.get("request_id") == request_id]
    (told,) = [line for line in lines if line["event"] == "error.unhandled"]
    assert (told["level"], told["error.type"]) == ("error", "RuntimeError")
    assert "_fault" in told["error.stack"]
    assert "hunter2" not in service.stream.getvalue()
    (line,) = [line for line in lines if line["event"] == "http.request"]
    assert (line["level"], line["trace_id"]) == ("error", told["trace_id"])


async def test_a_database_that_is_not_there_is_a_problem_too(settings: Settings, tmp_path: Path) -> None:
    nowhere = settings.model_copy(update={"db_host": str(tmp_path)})
    async with watched(nowhere) as service:
        for method, target, body in (("GET", "/goods/1", None), ("GET", "/readyz", None), ("POST", "/goods", _GOOD)):
            answer = await exchange(service.port, request(method, target, body))
            problem(answer, 503, "database-unavailable")
            assert int(answer.headers["retry-after"]) > 0


@pytest.mark.parametrize("name", PROBLEMS)
async def test_every_kind_of_problem_has_its_page(service: Watched, name: str) -> None:
    answer = await exchange(service.port, request("GET", f"/problems/{name}", headers={"Accept": "text/html"}))
    assert answer.status == 200
    assert PROBLEMS[name].title in unescape(answer.body.decode())


def test_the_reference_has_exactly_the_catalogue() -> None:
    assert REFERENCE.read_text() == reference(), "python -m tests.contract.test_errors > docs/reference/errors.md"


if __name__ == "__main__":
    sys.stdout.write(reference())
