"""A file of a million goods is planned, applied and undone in little memory, beside PostgreSQL's own bulk load."""

import asyncio
import csv
import subprocess
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from time import perf_counter
from typing import Any

import asyncpg
import httpx2
import pytest

from app.database.db import DatabaseAddress
from app.database.migrate import migrate
from data.sample import SampleGood, generate
from tests.commands.conftest import Program
from tests.conftest import until
from tests.faults.database import Database
from tests.proof.conftest import GOODS, Report

pytestmark = pytest.mark.proof

_TABLES = ("goods", "stock_movements", "changes")
_MOST = 200 << 20  # bytes
_CHUNK = 1 << 16
_MINUTES = 60.0
_HEADERS = {"Content-Type": "text/csv"}
_BOOKS = "SELECT count(*), coalesce(sum(stock), 0), (SELECT sum(delta) FROM stock_movements) FROM goods"


class Memory:
    """The most memory that a process and each of its descendants has had in RAM."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._peaks: dict[int, int] = {}
        self._task = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while True:
            for pid in [self._pid, *_descendants(self._pid)]:
                with suppress(OSError, StopIteration):  # it has just ended
                    self._peaks[pid] = _peak(pid)
            await asyncio.sleep(0.05)  # the kernel keeps the peak; only what is reached in a process's end is missed

    def most(self) -> tuple[int, int]:
        """Of the process and of the largest of the others, in bytes."""
        others = [peak for pid, peak in self._peaks.items() if pid != self._pid]
        return self._peaks[self._pid], max(others, default=0)

    def end(self) -> None:
        self._task.cancel()


def _descendants(pid: int) -> list[int]:
    try:
        children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return [found for child in children for found in (child, *_descendants(child))]


def _peak(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024


async def _chunks(file: Path) -> AsyncIterator[bytes]:
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            yield chunk


async def _reached(client: httpx2.AsyncClient, path: str, state: str) -> dict[str, Any]:
    async def there() -> dict[str, Any] | None:
        found: dict[str, Any] = (await client.get(path)).json()
        assert found["problem"] is None
        return found if found["state"] == state else None

    found: dict[str, Any] = await until(there, seconds=_MINUTES * 60)
    return found


async def test_a_million_rows_are_planned_applied_and_undone(tmp_path: Path, report: Report) -> None:
    file = tmp_path / "goods.csv"
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(SampleGood._fields)
        writer.writerows(generate(GOODS))
    seconds: dict[str, float] = {}
    async with Database.running(tmp_path / "postgres") as database:
        address = DatabaseAddress.of(database.settings())
        settings = {
            "DB_HOST": address.host,
            "DB_PORT": str(address.port),
            "DB_USER": address.user,
            "DB_NAME": address.database,
            "LOG_LEVEL": "warning",
            "SAMPLE": "no",
        }
        program = Program(settings)
        async with database.session() as session:
            serving = program.serve(stdout=subprocess.DEVNULL)
            try:
                await serving.ready()
                memory = Memory(serving.process.pid)
                await _import(serving.url, file, seconds, session, tmp_path)
                service, step = memory.most()
                memory.end()
            finally:
                program.end()
            await session.execute("CREATE DATABASE copied")
        seconds["copy"] = await _copy(database, tmp_path)
    assert 0 < step < _MOST
    assert service < _MOST
    rows = [
        (name, f"{seconds[name]:.1f}", f"{GOODS / seconds[name]:,.0f}")
        for name in ("uploaded", "planned", "applied", "undone", "copy")
    ]
    names = {"copy": "`COPY` of the same rows into goods, ledger and feed, from files, one transaction"}
    report.write(
        "A million rows are imported in little memory",
        f"A CSV file of {GOODS:,} new goods ({file.stat().st_size >> 20} MiB) was uploaded, planned, applied and undone"
        f" over HTTP. The service never had more than {service >> 20} MiB in RAM, and the process that does the steps"
        f" {step >> 20} MiB. Applied and undone, stock was the sum of the ledger.",
        ("step", "seconds", "rows in a second"),
        [(names.get(name, name), *figures) for name, *figures in rows],
    )


async def _import(url: str, file: Path, seconds: dict[str, float], session: Any, folder: Path) -> None:
    async with httpx2.AsyncClient(base_url=url, timeout=_MINUTES * 60, verify=False) as client:
        began = perf_counter()
        answer = await client.post("/imports", content=_chunks(file), headers=_HEADERS)
        seconds["uploaded"] = perf_counter() - began
        assert answer.status_code == 202, answer.text
        path = answer.headers["location"]
        planned = await _reached(client, path, "planned")
        seconds["planned"] = perf_counter() - began - seconds["uploaded"]
        assert planned["counts"] == {"created": GOODS, "updated": 0, "unchanged": 0, "refused": 0}
        assert tuple(await session.fetchrow(_BOOKS)) == (0, 0, None)
        for name, state in (("apply", "applied"), ("undo", "undone")):
            began = perf_counter()
            assert (await client.post(f"{path}/{name}")).status_code == 202
            await _reached(client, path, state)
            seconds[state] = perf_counter() - began
            goods, stock, ledger = await session.fetchrow(_BOOKS)
            assert (goods, stock) == (GOODS if state == "applied" else 0, ledger)
            if state == "applied":
                await session.execute("SET statement_timeout = 0")
                for table in _TABLES:
                    await session.copy_from_table(table, output=folder / f"{table}.copy")


async def _copy(database: Database, folder: Path) -> float:
    """Seconds that the same rows take through COPY, into the same tables with the same indexes and triggers."""
    settings = database.settings(DB_NAME="copied")
    await migrate(settings)
    connection: Any = await asyncpg.connect(**DatabaseAddress.of(settings).connect_arguments())
    try:
        began = perf_counter()
        async with connection.transaction():
            await connection.execute("SET LOCAL statement_timeout = 0")
            for table in _TABLES:
                await connection.copy_to_table(table, source=folder / f"{table}.copy")
        seconds = perf_counter() - began
        assert await connection.fetchval("SELECT count(*) FROM goods") == GOODS
        return seconds
    finally:
        await connection.close()
