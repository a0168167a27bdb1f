"""Each promise names tests that are there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_promise_is_held_by_tests_that_exist() -> None:
    page = (ROOT / "docs" / "reference" / "guarantees.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| ") and not line.startswith("| promise")]
    assert len(rows) > 10
    for row in rows:
        tests = re.findall(r"`(tests/[a-z_/]+\.py)`", row)
        assert tests, row
        for test in tests:
            assert (ROOT / test).is_file(), test
