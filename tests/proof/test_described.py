"""Ten thousand requests that the description was turned into."""

from pathlib import Path
from time import perf_counter
from typing import Any

import pytest

from app.database.embedded import EmbeddedAddress
from tests.contract.described import compare_with_description
from tests.proof.conftest import Report

pytestmark = pytest.mark.proof

_CASES = 10_000


async def test_ten_thousand_cases_from_the_description(
    postgres: EmbeddedAddress, connection: Any, tmp_path: Path, report: Report
) -> None:
    began = perf_counter()
    described = await compare_with_description(postgres, connection, examples=420, seed=2, folder=tmp_path)
    assert described.code == 0, described.said
    assert described.cases >= _CASES, described.said
    report.write(
        "No answer is outside the description",
        "Schemathesis in all its phases (examples, coverage, fuzzing, stateful) against a running server and a real"
        " PostgreSQL: no 5xx, no status, header, media type or body that the OpenAPI document does not describe, and"
        " nothing invalid accepted.",
        ("cases", "failures", "seconds"),
        [(f"{described.cases:,}", 0, f"{perf_counter() - began:.0f}")],
    )
