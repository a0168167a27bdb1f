"""No answer is outside the description, and none is a fault: the proof does it longer."""

from pathlib import Path
from typing import Any

import pytest

from app.database.embedded import EmbeddedAddress
from tests.contract.described import compare_with_description

pytestmark = pytest.mark.slow


async def test_no_answer_is_outside_the_description(postgres: EmbeddedAddress, connection: Any, tmp_path: Path) -> None:
    described = await compare_with_description(postgres, connection, examples=24, seed=1, folder=tmp_path)
    assert described.code == 0, described.said
    assert described.cases >= 2_000, described.said
