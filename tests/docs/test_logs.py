"""The reference of the log names each event that the code knows, and no other."""

import re
from pathlib import Path

from app.logs.fields import ACCESS_EVENT

ROOT = Path(__file__).parents[2]


def test_the_table_of_events_is_the_codes() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "app").rglob("*.py")]
    in_code = {event for source in sources for event in re.findall(r'"event"(?::|\] =) "([a-z_.]+)"', source)}
    page = (ROOT / "docs" / "reference" / "logs.md").read_text(encoding="utf-8")
    table = page.partition("## Events")[2].partition("```")[0]
    first_cells = [line.split("|")[1] for line in table.splitlines() if "|" in line]
    named = [event for cell in first_cells for event in re.findall(r"`([a-z_.]+)`", cell)]
    assert sorted(named) == sorted({*in_code, ACCESS_EVENT})
