"""What was acknowledged survives kills, and what is repeated with its key is done once: the proof does it longer."""

from pathlib import Path

import pytest

from tests.faults.kills import survive_kills

pytestmark = pytest.mark.slow


async def test_no_answer_was_a_lie_though_service_and_database_were_killed(tmp_path: Path) -> None:
    survived = await survive_kills(tmp_path, of_service=1, of_database=1)
    assert survived.repeated > 0
