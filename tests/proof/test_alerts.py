"""From a fault to a phone, with the real stack: what is told, how soon, and what is not."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from time import perf_counter

import pytest

from tests.monitoring.incident import (
    Morning,
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

_WRONG = {"GoodsStockMismatch", "GoodsAvailabilityFastBurn"}
_AWAY = {"GoodsStockMismatch", "AlertmanagerNotificationsFailing"}
# What happens, what is told of it, and what Slack may not have heard of as it was deaf then.
_CASES: list[tuple[Callable[[Morning], Awaitable[None]], set[str], set[str]]] = [
    (stock_and_answers_go_wrong, _WRONG, _WRONG),
    (the_database_stops, {"PostgresDown"}, set()),
    (slack_stays_away, _AWAY, _AWAY),
]


def _version(name: str) -> str:
    return run(name, "--version").split("version ")[1].split()[0]


async def test_each_fault_is_told_once_and_so_is_its_end(tmp_path: Path, report: Report) -> None:
    began = perf_counter()
    rows: list[tuple[object, ...]] = []
    for number, (faults, alerts, missed) in enumerate(_CASES):
        async with morning(tmp_path / str(number), by=_HURRY) as at:
            await all_is_well(at)
            await faults(at)
        assert_each_was_told_once(at, deaf="slack", deaf_to=missed, alerts=alerts)
        case = getattr(faults, "__name__", "").replace("_", " ")
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
