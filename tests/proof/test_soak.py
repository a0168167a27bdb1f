"""Half an hour of mixed load: memory, descriptors and connections stay where they are."""

import asyncio
import os
import subprocess
from pathlib import Path
from statistics import linear_regression
from time import perf_counter
from typing import Any, NamedTuple

import httpx2
import pytest

from app.database.db import DatabaseAddress
from tests.api.stock_rush import assert_ledgers_are_right
from tests.commands.conftest import Program
from tests.faults.database import Database
from tests.proof.conftest import Report
from tests.proof.load import Load

pytestmark = pytest.mark.soak

_MINUTES = float(os.environ.get("SOAK_MINUTES", "30"))
_EVERY = 5.0  # seconds
_CLIENTS = 8
_GOODS = 5_000
_PAUSE = 0.03  # seconds between two requests of a client: load, and not as much as there can be
_WARM = 0.2  # of the time, in which caches fill, is not measured
# What would be a leak: more than this in an hour, by the slope of the rest.
_MOST_AN_HOUR = {"MiB in RAM": 20.0, "file descriptors": 10.0, "database connections": 5.0}


class Sample(NamedTuple):
    seconds: float
    memory: float
    descriptors: int
    connections: int


def _weighed(pid: int) -> tuple[float, int]:
    """MiB in RAM, and open file descriptors."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20), len(list(Path(f"/proc/{pid}/fd").iterdir()))


async def _sampled(pid: int, session: Any, load: Load) -> list[Sample]:
    """One every few seconds until the time is over."""
    began, found = perf_counter(), list[Sample]()
    while (seconds := perf_counter() - began) < _MINUTES * 60:
        memory, descriptors = _weighed(pid)
        connections = await session.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        found.append(Sample(seconds, memory, descriptors, connections))
        assert not any(outcome.split()[1].startswith("5") for outcome in load.outcomes), load.outcomes
        await asyncio.sleep(_EVERY)
    return found


async def test_nothing_grows(tmp_path: Path, report: Report) -> None:
    async with Database.running(tmp_path / "postgres") as database:
        address = DatabaseAddress.of(database.settings())
        settings = {
            "DB_HOST": address.host, "DB_PORT": str(address.port), "DB_USER": address.user, "DB_NAME": address.database,
            "LOG_LEVEL": "info",
        }  # fmt: skip
        program = Program(settings)
        assert program.run("sample", str(_GOODS)).returncode == 0
        async with database.session() as session:
            serving = program.serve(stdout=subprocess.DEVNULL)
            try:
                await serving.ready()
                load = Load(serving.url, clients=_CLIENTS, goods=_GOODS, pause=_PAUSE)
                load.begin()
                samples = await _sampled(serving.process.pid, session, load)
                await load.end()
                async with httpx2.AsyncClient(base_url=serving.url, verify=False) as client:
                    assert (await client.get("/readyz")).status_code == 200
            finally:
                program.end()
            await assert_ledgers_are_right(session)
    measured = [sample for sample in samples if sample.seconds >= _WARM * _MINUTES * 60]
    hours = [sample.seconds / 3600 for sample in measured]
    series = {
        "MiB in RAM": [sample.memory for sample in measured],
        "file descriptors": [float(sample.descriptors) for sample in measured],
        "database connections": [float(sample.connections) for sample in measured],
    }
    slopes = {name: linear_regression(hours, values).slope for name, values in series.items()}
    requests = load.outcomes.total()
    report.write(
        "Nothing grows under load",
        f"{_MINUTES:g} minutes of mixed load by {_CLIENTS} clients (reads, lists, searches, sales, baskets, changes,"
        f" retries, streams, clients that leave, mistakes): {requests:,} requests, no 5xx. The slope is that of a line"
        f" through the last {1 - _WARM:.0%} of the samples. Afterwards the ledger added up.",
        ("", "lowest", "highest", "slope in an hour"),
        [(name, f"{min(values):.1f}", f"{max(values):.1f}", f"{slopes[name]:+.2f}") for name, values in series.items()],
    )
    for name, most in _MOST_AN_HOUR.items():
        assert slopes[name] < most, (name, slopes[name])
