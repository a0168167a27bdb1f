"""Searches of a million goods find what the plain reference finds, and read few goods for it."""

import json
import statistics
from dataclasses import dataclass
from datetime import UTC, datetime
from time import perf_counter
from typing import Any
from urllib.parse import parse_qsl

import httpx2
import pytest

from app.application import create_app
from app.goods.models.documents import document
from app.goods.queries import search
from app.goods.queries.filters import fingerprint
from app.goods.queries.keyset import Order
from app.goods.schemas.list import GoodsFilter
from app.rest import cursors
from data.sample import generate
from tests.conftest import Service
from tests.proof.conftest import GOODS, Million, Report
from tests.proof.reference_search import Catalogue, Found, Good
from tests.proof.searches import LAST, SEARCHES, Recorder, literal
from tests.serving import serving

pytestmark = pytest.mark.proof

_ROUNDS = 5


@dataclass(frozen=True)
class Cost:
    """What statements read: rows of the two tables, rows that a filter passed over, entries of bitmaps."""

    rows: int = 0
    passed_over: int = 0
    entries: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.rows + other.rows, self.passed_over + other.passed_over, self.entries + other.entries)


def catalogue() -> Catalogue:
    """The reference for the goods of the database, which are numbered as they come."""
    moment = datetime(2026, 1, 1, tzinfo=UTC)  # one transaction loaded all, so any will do
    return Catalogue(
        Good(number, *good, created_at=moment, updated_at=moment) for number, good in enumerate(generate(GOODS), 1)
    )


def cost_of(plan: dict[str, Any]) -> Cost:
    """What a plan's scans read."""
    found = sum((cost_of(inner) for inner in plan.get("Plans", [])), Cost())
    loops = plan["Actual Loops"]
    rows = round(plan["Actual Rows"] * loops)
    if plan["Node Type"] == "Bitmap Index Scan" and plan["Index Name"].startswith("goods_"):
        return found + Cost(entries=rows)
    if plan.get("Relation Name") in ("goods", "goods_search"):
        over = plan.get("Rows Removed by Filter", 0) + plan.get("Rows Removed by Index Recheck", 0)
        return found + Cost(rows, round(over * loops))
    return found


async def cost(connection: Any, sql: str, arguments: tuple[Any, ...], *, generic: bool) -> Cost:
    """What the statement reads, planned for its values or, as for one that is used often, for any."""
    await connection.execute(f"SET plan_cache_mode = {'force_generic_plan' if generic else 'force_custom_plan'}")
    await connection.execute(f"PREPARE looked_at AS {sql}")
    try:
        literals = ", ".join(literal(argument) for argument in arguments)
        explained = await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE looked_at({literals})")
        return cost_of(json.loads(explained)[0]["Plan"])
    finally:
        await connection.execute("DEALLOCATE looked_at")


async def token(connection: Any, wanted: GoodsFilter, last: Found) -> str:
    """The token of the page after `last`: to walk there would take as many requests."""
    text = await connection.fetchval(f"SELECT {document('g')}::text FROM goods g WHERE id = $1", last.id)
    return cursors.encode(fingerprint(wanted), last.tier, *Order.of(wanted.sort).position_of(text))


def is_of_all(arguments: tuple[Any, ...]) -> bool:
    return bool(arguments) and arguments[-1] == search._ALL


def bound(arguments: tuple[Any, ...], matches: int) -> int:
    """How many rows a statement may read. A good that matches has a row in each of the two tables."""
    if is_of_all(arguments):
        return 2 * matches
    return 2 * (max(search.FEW, search.WALKED) + 1)


def kind_of(sent: list[str]) -> str:
    """How a page was found that did not need all that match to be sorted."""
    if any("RECURSIVE bands" in sql for sql in sent):
        return "bands"
    return "near" if any("SELECT * FROM goods g" in sql for sql in sent) else "few"


@dataclass
class Searching:
    """What a search needs: the service, what it sent to the database, and what is right."""

    client: httpx2.AsyncClient
    recorder: Recorder
    behind: Any
    reference: Catalogue

    async def proven(self, text: str, page: int, *, far: bool) -> tuple[object, ...]:
        """Ask for the page, compare it, and give its row of the report."""
        query = dict(parse_qsl(text))
        wanted = GoodsFilter.model_validate(query)
        filters = {name: value for name, value in query.items() if name not in ("q", "sort", "limit")}
        expected = self.reference.find(query["q"], sort=wanted.sort, **filters)
        pages = max(1, -(-len(expected) // wanted.limit))
        number = pages if page == LAST else page
        assert number <= pages, f"{text} has no page {number}"
        start = (number - 1) * wanted.limit
        if start:
            query["after"] = await token(self.behind, wanted, expected[start - 1])
        self.recorder.sent.clear()
        answer = (await self.client.get("/goods", params=query)).json()
        sent = list(self.recorder.sent)
        right = [found.id for found in expected[start : start + wanted.limit]]
        assert [good["id"] for good in answer["items"]] == right, text
        assert (answer["next"] is None) == (number == pages), text
        assert any(is_of_all(arguments) for _, arguments in sent) == far, f"{text} is {'not ' * far}of the far kind"
        matches = len(self.reference.find(query["q"]))
        total = await self._cost(sent, wanted, matches)
        kind = "far" if far else kind_of([sql for sql, _ in sent])
        seconds = await median(self.client, query)
        shown = (f"{total.rows:,}", f"{total.passed_over:,}", f"{total.entries:,}", f"{seconds * 1000:.0f} ms")
        return (f"`{text}`", number, kind, f"{len(expected):,}", *shown)

    async def _cost(self, sent: list[tuple[str, tuple[Any, ...]]], wanted: GoodsFilter, matches: int) -> Cost:
        """What the statements read together, each within its bound however it is planned."""
        total = Cost()
        for sql, arguments in sent:
            for generic in (True, False):
                read = await cost(self.behind, sql, arguments, generic=generic)
                assert read.rows <= bound(arguments, matches), (wanted, generic, sql)
            total += read
        return total


async def test_searches_of_a_million_goods_find_the_right_ones_and_read_few(million: Million, report: Report) -> None:
    app = create_app(million.settings)
    async with serving(app) as url, httpx2.AsyncClient(base_url=url, timeout=30) as client:
        searches = Service(app, url).parts.goods_lists._search
        searches._pool = recorder = Recorder(searches._pool)  # type: ignore[assignment]
        searching = Searching(client, recorder, million.connection, catalogue())
        rows = [await searching.proven(text, page, far=far) for text, page, far in SEARCHES]
    report.write(
        "Searching a million goods",
        f"{len(SEARCHES)} searches over HTTP, each equal to what a plain reference in Python finds, ids and order."
        f" *Few*: at most {search.FEW:,} goods match the text ({search.FEW_AT_ONCE:,} in an order with bands) and are"
        " sorted. *Near*: more do, and the page is found by walking the list. *Bands*: by looking in which bands of the"
        " order the goods lie. *Far*: the order has none, and all that match are sorted. Rows are those that the scans"
        " of the two tables gave, for all statements of the page; passed over are those that a filter of the list did"
        " not let through; entries are those of the indexes of words and SKUs, from which no row is read. Milliseconds"
        f" are the median of {_ROUNDS}, warm, one client.",
        ("search", "page", "kind", "found", "rows", "passed over", "entries", "time"),
        rows,
    )


async def median(client: httpx2.AsyncClient, query: dict[str, str]) -> float:
    """Seconds for the request."""
    times = []
    for _ in range(_ROUNDS):
        started = perf_counter()
        assert (await client.get("/goods", params=query)).status_code == 200
        times.append(perf_counter() - started)
    return statistics.median(times)
