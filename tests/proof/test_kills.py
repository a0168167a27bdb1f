"""The service killed twenty times and PostgreSQL ten times, while clients write."""

from pathlib import Path
from time import perf_counter

import pytest

from tests.faults.kills import survive_kills
from tests.proof.conftest import Report

pytestmark = pytest.mark.proof

_OF_SERVICE, _OF_DATABASE = 20, 10


async def test_no_acknowledged_write_is_lost_and_none_is_done_twice(tmp_path: Path, report: Report) -> None:
    began = perf_counter()
    survived = await survive_kills(tmp_path, of_service=_OF_SERVICE, of_database=_OF_DATABASE)
    report.write(
        "Kills lose nothing and repeat nothing",
        f"8 clients sell, fill baskets, create and rename while the service is killed {_OF_SERVICE} times and"
        f" PostgreSQL {_OF_DATABASE} times, both with SIGKILL. What is not answered is sent again with its"
        " Idempotency-Key until it is. Afterwards everything that was acknowledged is there exactly once, nothing that"
        " was refused is, and the ledger adds up.",
        ("outcome", "times"),
        [
            *sorted(survived.outcomes.items()),
            ("sent again", survived.repeated),
            ("seconds", f"{perf_counter() - began:.0f}"),
        ],
    )
