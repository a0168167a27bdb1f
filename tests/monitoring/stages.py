"""The pipeline stages of the log agents, as far as ours use them, for lines to be put through.

The agents themselves can't be had here. This follows their documentation; a stage or an option that is not known fails.
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any

_SELECTOR = re.compile(r"""\{service(?P<how>=~?)"(?P<service>[^"]*)"\}(?: \|= `(?P<contains>[^`]*)`)?""")
_CRI = re.compile(r"^(?P<time>\S+) (?P<stream>stdout|stderr) (?P<flags>[FP]) (?P<content>.*)$")
# The words of the template in the files; it is Go's, so what it does is written down here once more.
_WORDS = {"warn": "warning", "fatal": "critical", "panic": "critical", "log": "info", "notice": "info"}
_TEMPLATE_NAMES = ("ToLower .Value", *(f'"{word}"' for word in _WORDS), *_WORDS.values())


@dataclass
class Line:
    """A line on its way, with what has been found in it."""

    text: str
    labels: dict[str, str]
    found: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    timestamp: str | None = None


def run(stages: list[Any], line: Line) -> Line:
    """Put a line through all stages."""
    for stage in stages:
        ((name, options),) = stage.items()
        _STAGES[name](options, line)
    return line


def _match(options: Any, line: Line) -> None:
    selector = _SELECTOR.fullmatch(options["selector"])
    assert selector, options["selector"]
    service = line.labels.get("service", "")
    wanted = re.fullmatch(selector["service"], service) if selector["how"] == "=~" else service == selector["service"]
    if wanted and (selector["contains"] or "") in line.text:
        run(options["stages"], line)


def _json(options: Any, line: Line) -> None:
    said = json.loads(line.text)
    wanted = {name: source or name for name, source in options["expressions"].items()}
    line.found |= {name: said[source] for name, source in wanted.items() if source in said}


def _logfmt(options: Any, line: Line) -> None:
    said = dict(re.findall(r'(\w+)=("(?:[^"\\]|\\.)*"|\S*)', line.text))
    wanted = {name: source or name for name, source in options["mapping"].items()}
    line.found |= {name: said[source] for name, source in wanted.items() if source in said}


def _regex(options: Any, line: Line) -> None:
    found = re.search(options["expression"], line.text)
    line.found |= found.groupdict() if found else {}


def _structured_metadata(options: Any, line: Line) -> None:
    line.metadata |= {name: line.found[name] for name in options if name in line.found}


def _timestamp(options: Any, line: Line) -> None:
    assert options == {"source": "ts", "format": "RFC3339Nano"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,9}Z", line.found["ts"])
    line.timestamp = line.found["ts"]


def _template(options: Any, line: Line) -> None:
    assert options["source"] == "level"
    assert all(name in options["template"] for name in _TEMPLATE_NAMES)
    if level := line.found.get("level", "").lower():
        line.found["level"] = _WORDS.get(level, level)


def _labels(options: Any, line: Line) -> None:
    line.labels |= {name: line.found[name] for name in options if name in line.found}


def _labeldrop(options: Any, line: Line) -> None:
    for name in options:
        line.labels.pop(name, None)


def _cri(options: Any, line: Line) -> None:
    assert options == {}
    found = _CRI.fullmatch(line.text)
    assert found
    line.text = found["content"]


_STAGES = {
    "match": _match,
    "json": _json,
    "logfmt": _logfmt,
    "regex": _regex,
    "structured_metadata": _structured_metadata,
    "timestamp": _timestamp,
    "template": _template,
    "labels": _labels,
    "labeldrop": _labeldrop,
    "cri": _cri,
}
