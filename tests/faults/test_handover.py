"""A new release takes over from the old one, and no client notices: the proof does it ten times."""

from pathlib import Path

import pytest

from tests.faults.handover import hand_over

pytestmark = pytest.mark.slow


async def test_nobody_notices_a_hand_over(tmp_path: Path) -> None:
    assert set(await hand_over(tmp_path, times=2, requests=600)) == {200, 201}
