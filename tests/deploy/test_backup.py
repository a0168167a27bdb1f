"""The how-to about backups, line by line: a dump, a new server, and the ledger proved there."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from app.application import create_app
from app.database.embedded import EmbeddedAddress, EmbeddedPostgres
from app.database.embedded.programs import find_programs
from app.database.migrate import migrate
from app.goods.services.loading import load
from data.sample import read_catalogue
from tests.conftest import settings_for
from tests.deploy.page import lines_below
from tests.serving import serving

pytestmark = pytest.mark.slow
_PAGE = "back-up-and-restore.md"


@pytest.fixture
def new_server(tmp_path: Path) -> Iterator[EmbeddedAddress]:
    """A cluster of its own, without the database that the page creates."""
    server = EmbeddedPostgres(tmp_path / "new", announce=lambda _: None)
    address = server.start()
    run(f"psql -XAtq -d postgres -c 'DROP DATABASE {address.database}'", address, tmp_path)
    yield address
    server.discard()


def run(line: str, address: EmbeddedAddress, folder: Path) -> str:
    """Run a line of the page against a server, as the page says: the environment names it."""
    programs = f"{find_programs(None).folder}:{Path(sys.executable).parent}:/usr/bin:/bin"
    environ = {
        "PATH": programs, "PGHOST": address.socket_folder, "PGPORT": str(address.port), "PGUSER": address.user,
        "DB_HOST": address.socket_folder, "DB_PORT": str(address.port), "DB_USER": address.user, "DB_NAME": "goods",
        "LOG_FORMAT": "json",
    }  # fmt: skip
    ended = subprocess.run(
        ["bash", "-c", line], cwd=folder, env=environ, capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.returncode == 0, f"{line}\n{ended.stdout}{ended.stderr}"
    return ended.stdout + ended.stderr


async def test_what_was_dumped_is_restored_and_its_ledger_is_right(tmp_path: Path, new_server: EmbeddedAddress) -> None:
    old = EmbeddedPostgres(tmp_path / "old", announce=lambda _: None)
    address = old.start()
    try:
        settings = settings_for(address)
        await migrate(settings)
        await load(settings, read_catalogue(), actor="test")
        async with serving(create_app(settings)) as url, httpx2.AsyncClient(base_url=url, verify=False) as client:
            sold = {"delta": -1, "reason": "sale", "reference": "before the dump"}
            first = (await client.get("/goods?in_stock=true&limit=1")).json()["items"][0]["id"]
            assert (await client.post(f"/goods/{first}/stock", json=sold)).status_code == 201
            before = [(await client.get(path)).json() for path in _looked_at(first)]
        for line in lines_below(_PAGE, "Back up"):
            run(line, address, tmp_path)
    finally:
        old.discard()
    said = [run(line, new_server, tmp_path) for line in lines_below(_PAGE, "Restore into a new server")]
    assert re.search(r"\d{3,} goods", said[-1]), said[-1]
    async with (
        serving(create_app(settings_for(new_server))) as url,
        httpx2.AsyncClient(base_url=url, verify=False) as client,
    ):
        assert [(await client.get(path)).json() for path in _looked_at(first)] == before


def _looked_at(good: int) -> tuple[str, ...]:
    """The feed first: who reads it numbers it, and the history shows the numbers."""
    return (
        "/changes?limit=500", f"/goods/{good}/history", f"/goods/{good}", f"/goods/{good}/stock/movements",
        "/goods?count=exact&limit=500", "/categories",
    )  # fmt: skip
