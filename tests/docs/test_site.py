"""The site's navigation has every page, once."""

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]


def pages_of(entry: Any) -> list[str]:
    """The files that a part of the navigation names."""
    match entry:
        case str():
            return [entry]
        case list():
            return [page for item in entry for page in pages_of(item)]
        case dict():
            return [page for item in entry.values() for page in pages_of(item)]
    raise TypeError(entry)


def test_every_page_is_in_the_navigation_once() -> None:
    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    there = sorted(str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md"))
    assert sorted(pages_of(site["nav"])) == there
