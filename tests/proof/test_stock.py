"""Stock is never sold twice and never lost, however many clients move it at once."""

from collections import Counter
from time import perf_counter
from typing import Any

import httpx2
import pytest

from tests.api.stock_rush import fill_baskets, sell_out
from tests.proof.conftest import Report

pytestmark = pytest.mark.proof

_SALES, _STOCK, _SELLERS = 5_000, 3_000, 64
_BASKETS, _GOODS, _BUYERS = 2_000, 20, 32


def _rows(outcomes: Counter[int], seconds: float) -> list[tuple[object, ...]]:
    return [(f"answered {status}", times) for status, times in sorted(outcomes.items())] + [
        ("seconds in all", f"{seconds:.1f}")
    ]


async def test_as_many_pieces_are_sold_as_there_were(
    client: httpx2.AsyncClient, connection: Any, report: Report
) -> None:
    started = perf_counter()
    outcomes = await sell_out(client, connection, stock=_STOCK, sales=_SALES, clients=_SELLERS)
    report.write(
        "Stock is not sold twice",
        f"{_SALES:,} sales of one piece by {_SELLERS} clients at once, of a good that has {_STOCK:,}. Afterwards it has"
        f" none, its ledger has {_STOCK:,} sales, and every balance from {_STOCK - 1:,} to 0 was answered once.",
        ("outcome", "times"),
        _rows(outcomes, perf_counter() - started),
    )


async def test_baskets_are_moved_whole_or_not_at_all(
    client: httpx2.AsyncClient, connection: Any, report: Report
) -> None:
    started = perf_counter()
    outcomes = await fill_baskets(client, connection, goods=_GOODS, stock=150, baskets=_BASKETS, clients=_BUYERS)
    report.write(
        "Baskets are whole",
        f"{_BASKETS:,} baskets of 2 to 6 lines over {_GOODS} goods, in random order, by {_BUYERS} clients at once, for"
        " more pieces than there are. Of each basket the ledger has every line or none, and for every good the ledger"
        " adds up to the stock.",
        ("outcome", "times"),
        _rows(outcomes, perf_counter() - started),
    )
