"""The grammars of PromQL and LogQL, as their makers keep them: npm packages, installed from their lock file."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.monitoring.npm import installed

_FOLDER = Path(__file__).parent / "logql"
Language = Literal["logql", "promql"]


@dataclass(frozen=True)
class Found:
    """What a query consists of. `identifiers` are metrics' names in PromQL, and labels' and fields' in LogQL."""

    errors: list[str]
    identifiers: list[str]
    strings: list[str]
    line_filters: list[str]


def parse(language: Language, exprs: list[str]) -> list[Found]:
    """Parse the queries; skips the test where that can't be done."""
    installed(_FOLDER)
    asked = json.dumps([{"language": language, "expr": expr} for expr in exprs])
    ended = subprocess.run(
        ["node", _FOLDER / "parse.mjs"], input=asked, capture_output=True, text=True, timeout=60, check=True
    )
    return [
        Found(each["errors"], each["identifiers"], each["strings"], each["lineFilters"])
        for each in json.loads(ended.stdout)
    ]
