"""The long proofs write what they measured into the documentation."""

import os
import platform
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

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
