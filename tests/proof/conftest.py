"""The long proofs write what they measured into the documentation. Some share a database of a million goods."""

import os
import platform
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import pytest

from app.config.conf import Settings
from app.database.db import DatabaseAddress
from app.database.embedded import EmbeddedAddress
from app.database.migrate import migrate
from app.goods.services.loading import load
from data.sample import generate
from tests.conftest import settings_for

GOODS = 1_000_000

_REPORT = Path(__file__).parents[2] / "docs" / "reference" / "proof.md"
_INTRODUCTION = """# Proof

What `make proof` showed when it was last run. Each section is written by one proof and replaced by its next run.
"""


class Report:
    """One section of the report: a claim, and the figures that were measured for it."""

    def __init__(self, server_version: str) -> None:
        self._server_version = server_version

    def write(self, title: str, claim: str, columns: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
        """Print the section and put it in the place of the one with this title. To be called when all is shown."""
        machine = (
            f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores ({platform.machine()}),"
            f" Python {platform.python_version()}, PostgreSQL {self._server_version}."
        )
        table = "\n".join(f"| {' | '.join(map(str, row))} |" for row in [columns, ["---"] * len(columns), *rows])
        section = f"## {title}\n\n{claim}\n\n{machine}\n\n{table}\n"
        print(f"\n{section}")  # noqa: T201 - the proof is read at the terminal, too
        earlier = _REPORT.read_text() if _REPORT.exists() else _INTRODUCTION
        kept = re.sub(rf"^## {re.escape(title)}\n.*?(?=^## |\Z)", "", earlier, flags=re.MULTILINE | re.DOTALL)
        _REPORT.parent.mkdir(parents=True, exist_ok=True)
        _REPORT.write_text(f"{kept.rstrip()}\n\n{section}")


@pytest.fixture
async def report(connection: Any) -> Report:
    version: str = await connection.fetchval("SHOW server_version")
    return Report(version.split(maxsplit=1)[0])


class Million(NamedTuple):
    """A database of a million goods, and a connection to it without a deadline."""

    settings: Settings
    connection: Any


@pytest.fixture(scope="session")
async def million(postgres: EmbeddedAddress, connection: Any) -> AsyncIterator[Million]:
    await connection.execute("CREATE DATABASE million")
    settings = settings_for(postgres, DB_NAME="million")
    await migrate(settings)
    assert await load(settings, generate(GOODS), actor="proof") == GOODS
    opened = await asyncpg.connect(**DatabaseAddress.of(settings).connect_arguments())
    await opened.execute("SET statement_timeout = 0")
    await opened.execute("VACUUM ANALYZE")
    try:
        yield Million(settings, opened)
    finally:
        await opened.close()
        await connection.execute("DROP DATABASE million WITH (FORCE)")
