"""The suite of the API, run through a PgBouncer in transaction mode."""

import asyncio
import os
import re
import sys
from pathlib import Path
from time import perf_counter

import pytest

from tests.faults.pgbouncer import PROGRAM
from tests.proof.conftest import Report

pytestmark = [
    pytest.mark.proof,
    pytest.mark.skipif(PROGRAM is None, reason="not run: there is no pgbouncer on this machine"),
]


async def test_the_suite_passes_through_a_pgbouncer(report: Report) -> None:
    began = perf_counter()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pytest", "tests/api", "tests/contract", "-m", "not proof and not soak and not slow",
        "--no-cov", "-n", "2", "-q",
        cwd=Path(__file__).parents[2], env={**os.environ, "THROUGH_PGBOUNCER": "yes"},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await process.communicate()
    said = output.decode()
    assert process.returncode == 0, said[-5_000:]
    passed = re.search(r"(\d+) passed", said)
    assert passed is not None
    report.write(
        "Through a PgBouncer",
        "The tests of the API and of its contract, with a PgBouncer in transaction mode before the database and"
        " `DB_PREPARED_STATEMENTS=no`.",
        ("tests", "failed", "seconds"),
        [(f"{int(passed[1]):,}", 0, f"{perf_counter() - began:.0f}")],
    )
