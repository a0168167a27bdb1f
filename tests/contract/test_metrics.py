"""The metrics are the ones that are promised, count exactly what happened, and never grow with what callers send."""

import asyncio
import itertools
import os
import random
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from app.config.conf import Settings
from app.metrics.goods import MOVE_REASONS, MOVEMENT_REASONS, OPERATIONS, RESULTS
from tests.api.support import create
from tests.contract.poison import exchange, request
from tests.contract.test_access_log import Watched, watched

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "metrics.md"
_METHODS = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "_OTHER"]
_OURS = {
    "http_requests_total": ("counter", {"method", "route", "status"}),
    "http_request_duration_seconds": ("histogram", {"method", "route", "status_class"}),
    "http_requests_in_progress": ("gauge", {"method"}),
    "goods_created_total": ("counter", set()),
    "goods_updated_total": ("counter", set()),
    "goods_operations_total": ("counter", {"operation", "result"}),
    "goods_stock_movements_total": ("counter", {"reason"}),
    "goods_stock_refused_total": ("counter", {"reason"}),
}
_OPENMETRICS = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.3"


@pytest.fixture
async def fresh(settings: Settings, connection: Any) -> AsyncIterator[Watched]:
    """A service of the test's own, which has counted nothing yet, on empty tables."""
    await connection.execute("TRUNCATE goods, stock_movements, changes RESTART IDENTITY")
    async with watched(settings) as made:
        yield made


async def text_of(service: Watched, accept: str = "") -> str:
    answer = await exchange(service.port, request("GET", "/metrics", headers={"Accept": accept} if accept else {}))
    assert answer.status == 200
    return answer.body.decode()


async def families(service: Watched) -> dict[str, Metric]:
    """By the name that stands in queries: with _total for counters."""
    found = text_string_to_metric_families(await text_of(service))
    return {family.name + "_total" * (family.type == "counter"): family for family in found}


def labels_of(family: Metric) -> set[str]:
    return {name for sample in family.samples for name in sample.labels} - {"le"}


async def values(service: Watched, name: str, *labels: str) -> dict[tuple[str, ...], float]:
    """What is not 0 of one counter, by its labels; what reading /metrics itself adds is left out."""
    samples = (await families(service))[name].samples
    return {
        tuple(sample.labels[label] for label in labels): sample.value
        for sample in samples
        if sample.value and sample.labels.get("route") != "/metrics"
    }


async def series(service: Watched) -> set[str]:
    return {line.rpartition(" ")[0] for line in (await text_of(service)).splitlines() if not line.startswith("#")}


async def test_the_promised_metrics_have_their_names_types_and_labels(fresh: Watched) -> None:
    await exchange(fresh.port, request("GET", "/goods/1"))
    found = await families(fresh)
    for name, (kind, labels) in _OURS.items():
        assert (found[name].type, labels_of(found[name])) == (kind, labels), name
        assert found[name].documentation
    assert {"process_cpu_seconds_total", "process_resident_memory_bytes", "process_start_time_seconds"} <= set(found)


async def test_everything_that_can_be_known_before_is_there_at_0(fresh: Watched) -> None:
    found = await families(fresh)
    pairs = {
        (sample.labels["operation"], sample.labels["result"]): sample.value
        for sample in found["goods_operations_total"].samples
    }
    assert pairs == {(operation, result): 0 for operation in OPERATIONS for result in RESULTS}
    for name, reasons in (("movements", MOVEMENT_REASONS), ("refused", MOVE_REASONS)):
        assert [s.labels["reason"] for s in found[f"goods_stock_{name}_total"].samples if not s.value] == [*reasons]
    assert [found[name].samples[0].value for name in ("goods_created_total", "goods_updated_total")] == [0, 0]
    assert sorted(sample.labels["method"] for sample in found["http_requests_in_progress"].samples) == _METHODS


async def test_counters_count_exactly_what_happened(fresh: Watched) -> None:
    async with httpx2.AsyncClient(base_url=fresh.url) as client:
        for sku in ("A", "B", "C"):
            await create(client, sku=sku)
        whole = {"name": "Storm lantern", "price": "24.90"}
        asked: list[tuple[int, str, str, Any, dict[str, str]]] = [
            (409, "POST", "/goods", {**whole, "sku": "A"}, {}),
            (422, "POST", "/goods", {}, {}),
            (200, "PUT", "/goods/1", {**whole, "stock": 4}, {}),
            (200, "PUT", "/goods/1", {**whole, "stock": 4}, {}),
            (404, "PUT", "/goods/9", whole, {}),
            (200, "PATCH", "/goods/2", {"stock": 1}, {}),
            (200, "PATCH", "/goods/2", {"stock": 2}, {}),
            (200, "PATCH", "/goods/2", {}, {}),
            (412, "PATCH", "/goods/2", {"stock": 9}, {"If-Match": '"2-1"'}),
            (409, "PATCH", "/goods/2", {"version": 1}, {}),
            (422, "PATCH", "/goods/2", {"id": 1}, {}),
            (204, "DELETE", "/goods/3", None, {}),
            (404, "DELETE", "/goods/3", None, {}),
            (200, "GET", "/goods/1", None, {}),
            (304, "GET", "/goods/1", None, {"If-None-Match": '"1-2"'}),
            (200, "HEAD", "/goods/by-sku/A", None, {}),
            (404, "GET", "/goods/3", None, {}),
            (422, "GET", "/goods/x", None, {}),
            (200, "GET", "/goods?limit=2", None, {}),
            (422, "GET", "/goods?after=x", None, {}),
            (200, "GET", "/categories", None, {}),
            (404, "GET", "/none", None, {}),
            (405, "PUT", "/goods", None, {}),
        ]
        for status, method, path, body, headers in asked:
            answer = await client.request(method, path, json=body, headers=headers)
            assert answer.status_code == status, (method, path, answer.text)
    await exchange(fresh.port, request("FOO", "/goods"))
    assert await values(fresh, "goods_created_total") == {(): 3}
    assert await values(fresh, "goods_updated_total") == {(): 3}
    assert await values(fresh, "goods_operations_total", "operation", "result") == {
        ("create", "ok"): 3,
        ("create", "conflict"): 1,
        ("replace", "ok"): 1,
        ("replace", "unchanged"): 1,
        ("replace", "not_found"): 1,
        ("patch", "ok"): 2,
        ("patch", "unchanged"): 1,
        ("patch", "precondition_failed"): 1,
        ("patch", "conflict"): 1,
        ("patch", "invalid"): 1,
        ("delete", "ok"): 1,
        ("delete", "not_found"): 1,
        ("read", "ok"): 3,
        ("read", "not_found"): 1,
        ("list", "ok"): 1,
        ("list", "invalid"): 1,
        ("categories", "ok"): 1,
    }
    one = "/goods/{goods_id}"
    wanted = {
        ("POST", "/goods", "201"): 3,
        ("POST", "/goods", "409"): 1,
        ("POST", "/goods", "422"): 1,
        ("PUT", one, "200"): 2,
        ("PUT", one, "404"): 1,
        ("PATCH", one, "200"): 3,
        ("PATCH", one, "412"): 1,
        ("PATCH", one, "409"): 1,
        ("PATCH", one, "422"): 1,
        ("DELETE", one, "204"): 1,
        ("DELETE", one, "404"): 1,
        ("GET", one, "200"): 1,
        ("GET", one, "304"): 1,
        ("GET", one, "404"): 1,
        ("GET", one, "422"): 1,
        ("HEAD", "/goods/by-sku/{sku:path}", "200"): 1,
        ("GET", "/goods", "200"): 1,
        ("GET", "/goods", "422"): 1,
        ("GET", "/categories", "200"): 1,
        ("GET", "__unmatched__", "404"): 1,
        ("PUT", "/goods", "405"): 1,
        ("_OTHER", "__unmatched__", "400"): 1,
    }
    assert await values(fresh, "http_requests_total", "method", "route", "status") == wanted
    found = (await families(fresh))["http_request_duration_seconds"].samples
    counts = [s.value for s in found if s.name.endswith("_count") and s.labels["route"] != "/metrics"]
    assert sum(counts) == sum(wanted.values())


_KNOWN = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
_UNKNOWN = ["PURGE", "PROPFIND", "TRACE", "FOO", "get", "M-SEARCH", "X" * 50]
_PATHS = [
    *("/", "/goods", "/goods?limit=x&{n}", "/goods/{n}", "/goods/x{n}", "/goods/by-sku/S{n}", "/goods/by-sku/{n}/%20"),
    *("/categories", "/livez", "/docs", "/openapi.json", "/problems", "/problems/p{n}", "/none/{n}", "/{n}", "/%00{n}"),
    *(
        "/goods/{n}/none",
        "/goods/{n}/stock",
        "/goods/{n}/stock/movements?after={n}",
        "/stock",
        "/goods/%ff{n}",
        "/a b {n}",
        "/goods?{n}=1",
        "/docs/assets/swagger-ui.css",
        "/Goods",
        "//",
    ),
]


async def _ask(service: Watched, asked: list[tuple[str, str, bytes | None]]) -> None:
    gate = asyncio.Semaphore(32)

    async def one(method: str, path: str, body: bytes | None) -> None:
        target = path.replace("{n}", str(random.randrange(10**6, 10**12)))
        async with gate:
            await exchange(service.port, request(method, target, body))

    await asyncio.gather(*(one(*each) for each in asked))


async def test_5000_random_requests_add_no_series(fresh: Watched) -> None:
    every = list(itertools.product(_KNOWN + _UNKNOWN, _PATHS, (None, b"{}")))
    await _ask(fresh, every)
    await series(fresh)
    before = await series(fresh)
    await _ask(fresh, [random.choice(every) for _ in range(5000)])
    assert await series(fresh) - before == set()
    assert len(before) < 5000
    routes = {key[1] for key in await values(fresh, "http_requests_total", "method", "route", "status")}
    templates = {getattr(route, "path", "") for route in fresh.app.routes}
    assert routes <= templates | {"__unmatched__"}
    running = (await families(fresh))["http_requests_in_progress"].samples
    assert {sample.labels["method"]: sample.value for sample in running if sample.value} == {"GET": 1}, "but our own"


async def test_the_duration_has_a_bucket_at_the_objective(fresh: Watched) -> None:
    for target in ("/goods", "/goods/1", "/none", "/livez"):
        await exchange(fresh.port, request("GET", target))
    buckets = [s for s in (await families(fresh))["http_request_duration_seconds"].samples if "le" in s.labels]
    by_series: dict[tuple[str, ...], set[str]] = {}
    for bucket in buckets:
        key = tuple(value for name, value in sorted(bucket.labels.items()) if name != "le")
        by_series.setdefault(key, set()).add(bucket.labels["le"])
    assert by_series
    assert all({"0.25", "+Inf"} <= bounds for bounds in by_series.values())
    assert 'le="0.25"' in await text_of(fresh)


async def test_openmetrics_is_given_to_who_asks_with_exemplars(fresh: Watched) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    traceparent = f"00-{trace}-b7ad6b7169203331-01"
    await exchange(fresh.port, request("GET", "/goods/1", headers={"traceparent": traceparent}))
    answer = await exchange(fresh.port, request("GET", "/metrics", headers={"Accept": _OPENMETRICS}))
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    text = answer.body.decode()
    assert text.endswith("\n# EOF\n")
    found = {family.name: family for family in openmetrics.text_string_to_metric_families(text)}  # type: ignore[no-untyped-call]  # the library has no types here
    exemplars = [s.exemplar.labels for s in found["http_request_duration_seconds"].samples if s.exemplar]
    assert {"trace_id": trace} in exemplars


@pytest.mark.parametrize("accept", ["", "*/*", "text/plain", "application/json", "text/plain;version=0.0.4;q=0.3"])
async def test_others_are_given_prometheus_own_format(fresh: Watched, accept: str) -> None:
    answer = await exchange(fresh.port, request("GET", "/metrics", headers={"Accept": accept}))
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert b"# EOF" not in answer.body


@pytest.mark.parametrize("accept", ["text/plain", _OPENMETRICS])
async def test_there_are_no_series_of_creation_times(fresh: Watched, accept: str) -> None:
    await exchange(fresh.port, request("GET", "/goods/1"))
    assert not re.search(r"^\w+_created(\{| )", await text_of(fresh, accept), re.MULTILINE)


async def test_metrics_and_liveness_need_no_database(settings: Settings, tmp_path: Path) -> None:
    async with watched(settings.model_copy(update={"db_host": str(tmp_path)})) as service:
        assert (await exchange(service.port, request("GET", "/livez"))).status == 200
        assert (await exchange(service.port, request("GET", "/readyz"))).status == 503
        assert (await exchange(service.port, request("GET", "/goods/1"))).status == 503
        found = await families(service)
        assert found["database_up"].samples[0].value == 0
        assert found["database_gauges_age_seconds"].samples[0].value > 0
        assert await values(service, "goods_operations_total", "operation", "result") == {("read", "unavailable"): 1}


async def test_promtool_finds_nothing_to_complain_of(fresh: Watched) -> None:
    local = Path(__file__).parents[2] / ".tools" / "bin" / "promtool"
    promtool = os.environ.get("PROMTOOL") or shutil.which("promtool") or (str(local) if local.exists() else None)
    if promtool is None:
        pytest.skip("not run: promtool is neither in PROMTOOL, nor on PATH, nor in .tools/bin")
    await exchange(fresh.port, request("GET", "/goods"))
    pipe = asyncio.subprocess.PIPE
    checked = await asyncio.create_subprocess_exec(promtool, "check", "metrics", stdin=pipe, stdout=pipe, stderr=pipe)
    out, err = await checked.communicate((await text_of(fresh)).encode())
    assert (checked.returncode, out + err) == (0, b"")


async def test_the_reference_and_the_metrics_agree(fresh: Watched) -> None:
    await exchange(fresh.port, request("GET", "/goods"))
    shown = {name: (family.type, labels_of(family)) for name, family in (await families(fresh)).items()}
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|([^|]*)\|[^|]+\|$", REFERENCE.read_text(), re.MULTILINE)
    written = {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}
    assert len(rows) == len(written)
    assert written == shown
