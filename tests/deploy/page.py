"""The commands of a how-to page, for the tests that run them."""

import re

from tests.deploy.engine import ROOT


def lines_below(page: str, heading: str) -> list[str]:
    """The commands of one section."""
    text = (ROOT / "docs" / "how-to" / page).read_text(encoding="utf-8")
    section = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found = re.findall(r"^\$ (.+)$", section, re.MULTILINE)
    assert found, heading
    return found
