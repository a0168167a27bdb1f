"""From a fault to a phone, with the real stack: what is told, how soon, and what is not."""

from pathlib import Path
from time import perf_counter

import pytest

from tests.monitoring.incident import (
    all_is_well,
    assert_each_was_told_once,
    morning,
    slack_stays_away,
    stock_and_answers_go_wrong,
    the_database_stops,
)
from tests.monitoring.programs import run
from tests.proof.conftest import Report

pytestmark = pytest.mark.proof

_HURRY = 15


def _version(name: str) -> str:
    return run(name, "--version").split("version ")[1].split()[0]


async def test_each_fault_is_told_once_and_so_is_its_end(tmp_path: Path, report: Report) -> None:
    began = perf_counter()
    rows: list[tuple[object, ...]] = []
    for number, (faults, alerts, deaf_to) in enumerate(
        [
            (stock_and_answers_go_wrong, {"GoodsStockMismatch", "GoodsAvailabilityFastBurn"}, None),
            (the_database_stops, {"PostgresDown"}, set()),
            (slack_stays_away, {"GoodsStockMismatch", "AlertmanagerNotificationsFailing"}, None),
        ]
    ):
        async with morning(tmp_path / str(number), by=_HURRY) as at:
            await all_is_well(at)
            await faults(at)
        missed = alerts if deaf_to is None else deaf_to
        assert_each_was_told_once(at, deaf="slack", deaf_to=missed, alerts=alerts)
        case = faults.__name__.replace("_", " ")
        rows += [(case, told, f"{seconds:.0f}", f"{seconds * _HURRY / 60:.0f}") for told, seconds in at.seconds.items()]
    report.write(
        "Each fault is told once, and so is its end",
        f"A real service, PostgreSQL and its exporter, Prometheus {_version('prometheus')} and Alertmanager"
        f" {_version('alertmanager')}, with the real rules and the generated configuration, all durations divided by"
        f" {_HURRY}. Telegram, Slack and mail are fakes that were told of each alert once and of its end once, and of"
        " nothing else: while PostgreSQL was away failing requests and failing writes were inhibited, also after its"
        " return. While Slack answered 500, the others were told as always.",
        ("what happened", "told", "seconds", "minutes at full length"),
        [*rows, ("all of it", "", f"{perf_counter() - began:.0f}", "")],
    )
