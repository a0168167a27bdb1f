"""What is measured once and as a whole: import, export, scrape, start, memory."""

import asyncio
import csv
import time
import urllib.request
from pathlib import Path

import httpx2

from benchmarks.database import Databases
from benchmarks.servers import Server, ours, running
from data.sample import SampleGood, generate

_TABLES = ("goods", "stock_movements", "changes")
_HOUR = 3600.0


async def import_and_copy(databases: Databases, goods: int, folder: Path) -> dict[str, float]:
    """Seconds that a file takes to be uploaded, planned and applied, and that COPY takes for the same rows."""
    file = folder / "goods.csv"
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(SampleGood._fields)
        writer.writerows(generate(goods))
    await databases.make("imported", 0)
    seconds = {}
    with running("import", 8190, ours(), databases.environ("imported"), folder) as server:
        async with httpx2.AsyncClient(base_url=server.url, timeout=_HOUR, verify=False) as client:
            began = time.perf_counter()
            answer = await client.post("/imports", content=file.read_bytes(), headers={"Content-Type": "text/csv"})
            path = answer.raise_for_status().headers["location"]
            await _reached(client, path, "planned")
            seconds["uploaded and planned"] = time.perf_counter() - began
            began = time.perf_counter()
            (await client.post(f"{path}/apply")).raise_for_status()
            await _reached(client, path, "applied")
            seconds["applied"] = time.perf_counter() - began
    seconds["copied"] = await _copy(databases, folder)
    for name in ("imported", "copied"):
        await databases.drop(name)
    return seconds


async def _reached(client: httpx2.AsyncClient, path: str, state: str) -> None:
    while True:
        found = (await client.get(path)).json()
        if found["problem"] is not None:
            raise SystemExit(f"the import failed: {found['problem']}")
        if found["state"] == state:
            return
        await asyncio.sleep(0.2)


async def _copy(databases: Databases, folder: Path) -> float:
    """COPY of the three tables' rows from files, into empty tables with the same indexes and triggers."""
    source = await databases.connect("imported")
    for table in _TABLES:
        await source.copy_from_table(table, output=folder / f"{table}.copy")
    await source.close()
    await databases.make("copied", 0)
    target = await databases.connect("copied")
    began = time.perf_counter()
    async with target.transaction():
        for table in _TABLES:
            await target.copy_to_table(table, source=folder / f"{table}.copy")
    seconds = time.perf_counter() - began
    await target.close()
    return seconds


async def export_and_copy(server: Server, databases: Databases, name: str, folder: Path) -> dict[str, float]:
    """Seconds that an export of all goods takes, and that COPY TO takes for the same columns."""
    began, size = time.perf_counter(), 0
    async with (
        httpx2.AsyncClient(timeout=_HOUR, verify=False) as client,
        client.stream("GET", f"{server.url}/goods/export?format=csv") as answer,
    ):
        async for chunk in answer.aiter_raw():
            size += len(chunk)
    seconds = {"exported": time.perf_counter() - began, "MiB": size / (1 << 20)}
    connection = await databases.connect(name)
    began = time.perf_counter()
    await connection.copy_from_query("SELECT * FROM goods ORDER BY id", output=folder / "export.copy", format="csv")
    seconds["copied out"] = time.perf_counter() - began
    await connection.close()
    return seconds


def scrape(server: Server) -> float:
    """Milliseconds of a scrape, the median of 21."""
    times = []
    for _ in range(21):
        began = time.perf_counter()
        urllib.request.urlopen(f"{server.url}/metrics").read()
        times.append(time.perf_counter() - began)
    return sorted(times)[10] * 1000


def cold_start(folder: Path) -> float:
    """Seconds from the command to the first good, with an embedded PostgreSQL on existing data."""
    command, changes = ours(API_PORT="8191", SAMPLE="yes")
    seconds = []
    for _ in range(2):  # the first may have to make the data
        began = time.perf_counter()
        with running("start", 8191, (command, changes), {}, folder):
            seconds.append(time.perf_counter() - began)
    return seconds[-1]
