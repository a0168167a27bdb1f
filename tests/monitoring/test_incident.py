"""From a fault to a phone: the real service, database, exporter, Prometheus and Alertmanager, in a hurry."""

from pathlib import Path

import pytest

from tests.monitoring.incident import (
    all_is_well,
    assert_each_was_told_once,
    morning,
    stock_and_answers_go_wrong,
    the_database_stops,
)

pytestmark = pytest.mark.slow

_HURRY = 30


async def test_each_fault_is_told_once_and_so_is_its_end(tmp_path: Path) -> None:
    async with morning(tmp_path, by=_HURRY) as at:
        await all_is_well(at)
        await stock_and_answers_go_wrong(at)
        await the_database_stops(at)
    first = {"GoodsStockMismatch", "GoodsAvailabilityFastBurn"}
    assert_each_was_told_once(at, deaf="slack", deaf_to=first, alerts={*first, "PostgresDown"})
