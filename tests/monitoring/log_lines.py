"""Log lines of all kinds, written by a real service to which all of this really happens."""

import json
import subprocess
from pathlib import Path
from typing import Any

import httpx2

from app.commands.demo_mix import MIX, DemoShop
from tests.commands.conftest import Program
from tests.conftest import until

# The events that they must have among them.
EVENTS = {
    "http.request", "error.unhandled", "database.lost", "database.back", "access.refused", "ledger.mismatch",
    "ledger.mended", "import.step", "gauges.failed", "migrate.unchanged",
}  # fmt: skip


async def written(goods: Program, connection: Any, folder: Path) -> list[str]:
    """The lines that a service wrote from its start to its end, and a migration before it."""
    quick = {"METRICS_REFRESH": "0.2", "LEDGER_CHECK": "0.2", "LOG_LEVEL": "info", "LOG_FORMAT": "json"}
    migrated = goods.run("migrate", stdin=subprocess.DEVNULL, **quick)
    await connection.execute("DELETE FROM access_keys")
    admin, small = (
        goods.run("keys", "create", scope, "--scope", scope).stdout.split()[-1] for scope in ("admin", "read")
    )
    file = folder / "service.log"
    with file.open("w") as stdout:
        serving = goods.serve(stdout=stdout.fileno(), API_AUTH="writes", **quick)
        await serving.ready()
        async with httpx2.AsyncClient(base_url=serving.url, verify=False, headers={"X-API-Key": admin}) as client:
            await _shop(client)
            await client.post("/goods", json={}, headers={"X-API-Key": small})
            await _ledger_that_is_wrong(connection, file)
            await _column_that_is_gone(client, connection, file)
            await _stream(client)
        assert serving.stop()[0] == 0
    return [line for line in migrated.stdout.splitlines() if line.startswith("{")] + file.read_text().splitlines()


async def _shop(client: httpx2.AsyncClient) -> None:
    shop = DemoShop(client)
    await shop.open()
    for act in MIX:
        await shop.act(act)
    await shop.import_and_undo()
    assert await shop.close() == []


async def _ledger_that_is_wrong(connection: Any, file: Path) -> None:
    goods_id = await connection.fetchval(
        "INSERT INTO goods (sku, name, description, price, stock, created_at, updated_at)"
        " VALUES ('WRONG', 'Wrong', '', 1, 7, now(), now()) RETURNING id"
    )
    await until(lambda: '"ledger.mismatch"' in file.read_text())
    await connection.execute("DELETE FROM goods WHERE id = $1", goods_id)
    await until(lambda: '"ledger.mended"' in file.read_text())


async def _column_that_is_gone(client: httpx2.AsyncClient, connection: Any, file: Path) -> None:
    await connection.execute("ALTER TABLE goods RENAME COLUMN stock TO pieces")
    try:
        await until(lambda: '"gauges.failed"' in file.read_text())
        await client.get("/goods?limit=1")
    finally:
        await connection.execute("ALTER TABLE goods RENAME COLUMN pieces TO stock")
    await until(lambda: '"database.back"' in file.read_text())


async def _stream(client: httpx2.AsyncClient) -> None:
    async with client.stream("GET", "/changes?after=latest", headers={"Accept": "text/event-stream"}) as answer:
        assert answer.status_code == 200


def events(lines: list[str]) -> set[str]:
    """The events of the lines."""
    return {event for line in lines if (event := json.loads(line).get("event"))}
