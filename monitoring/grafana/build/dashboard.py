"""Where panels stand: rows of 24 columns, and what all dashboards have in common."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from monitoring.grafana.build.queries import LOKI, PROMETHEUS, Json

__all__ = ["Json", "Row", "choice", "label_values", "log_label_values", "page", "row", "text_box"]

_COLUMNS: Final = 24
_SCHEMA_VERSION: Final = 41
_TAG: Final = "goods-api"

# An alert that fires is a region over the time it does; a version that appears is a line.
_ALERTS: Final = 'ALERTS{alertstate="firing",severity=~"critical|warning"}'
_DEPLOYS: Final = (
    "sum by (version) (goods_api_build_info)"
    " unless sum by (version) (last_over_time(goods_api_build_info[5m] offset 1m))"
)


@dataclass(frozen=True)
class Row:
    """Panels under a heading, from left to right; those that no longer fit go below. A height is 30 pixels."""

    title: str
    panels: Sequence[Json]
    widths: Sequence[int]
    height: int


def row(title: str, *panels: Json, widths: Sequence[int] | None = None, height: int = 8) -> Row:
    """A row whose panels are equally wide, unless their widths are given."""
    return Row(title, panels, widths or [_COLUMNS // len(panels)] * len(panels), height)


def page(uid: str, title: str, description: str, rows: list[Row], *, variables: list[Json] | None = None) -> Json:
    """The whole of it, as Grafana reads it from a file."""
    return {
        "uid": uid,
        "title": title,
        "description": description,
        "tags": [_TAG],
        "schemaVersion": _SCHEMA_VERSION,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,  # the moment under the mouse is marked in all panels
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "annotations": {"list": [_alerts(), _deploys()]},
        "links": [_other_dashboards()],
        "templating": {"list": variables or []},
        "panels": _placed(rows),
    }


def _placed(rows: list[Row]) -> list[Json]:
    panels: list[Json] = []
    top = 0
    for each in rows:
        heading = {"type": "row", "title": each.title, "collapsed": False, "panels": []}
        panels.append(heading | _grid(0, top, _COLUMNS, 1))
        top, left = top + 1, 0
        for panel, width in zip(each.panels, each.widths, strict=True):
            if left + width > _COLUMNS:
                top, left = top + each.height, 0
            panels.append(panel | _grid(left, top, width, each.height))
            left += width
        top += each.height
    return [{"id": n} | panel for n, panel in enumerate(panels, 1)]


def _grid(left: int, top: int, width: int, height: int) -> Json:
    return {"gridPos": {"x": left, "y": top, "w": width, "h": height}}


def _alerts() -> Json:
    return {
        "name": "Alerts",
        "datasource": PROMETHEUS,
        "enable": True,
        "iconColor": "red",
        "target": {"expr": _ALERTS, "interval": "60s", "refId": "Anno"},
        "titleFormat": "{{alertname}}",
        "textFormat": "{{severity}}",
        "tagKeys": "severity",
    }


def _deploys() -> Json:
    return {
        "name": "Deploys",
        "datasource": PROMETHEUS,
        "enable": True,
        "iconColor": "blue",
        "target": {"expr": _DEPLOYS, "interval": "60s", "refId": "Anno"},
        "titleFormat": "Version {{version}} appeared",
        "textFormat": "",
        "tagKeys": "version",
    }


def _other_dashboards() -> Json:
    return {
        "type": "dashboards",
        "title": "Goods API",
        "tags": [_TAG],
        "asDropdown": False,
        "includeVars": False,
        "keepTime": True,
        "targetBlank": False,
    }


def label_values(name: str, label: str, metric: str, words: str, *, only: str = "") -> Json:
    """A variable that takes its values from a metric's label; all of them to begin with.

    `only` is a regular expression of those that it takes. Where there is none, "all" is also what has no such label.
    """
    variable = {
        "type": "query",
        "name": name,
        "label": words,
        "datasource": PROMETHEUS,
        "query": {"query": f"label_values({metric}, {label})", "refId": name},
        "refresh": 2,
        "sort": 1,
        "regex": only,
        "multi": True,
        "includeAll": True,
        "current": {"text": "All", "value": "$__all"},
    }
    return variable if only else variable | {"allValue": ".*"}


def log_label_values(name: str, label: str, words: str, *, first: str) -> Json:
    """A variable that takes its values from a label of the log."""
    return {
        "type": "query",
        "name": name,
        "label": words,
        "datasource": LOKI,
        "query": {"label": label, "refId": name, "stream": "", "type": 1},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".+",
        "current": {"text": [first], "value": [first]},
    }


def choice(name: str, values: list[str], words: str) -> Json:
    """A variable with fixed values; all of them to begin with."""
    options = [{"text": value, "value": value, "selected": False} for value in values]
    return {
        "type": "custom",
        "name": name,
        "label": words,
        "query": ",".join(values),
        "options": options,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }


def text_box(name: str, words: str) -> Json:
    """A variable that somebody types in."""
    nothing = {"text": "", "value": ""}
    return {"type": "textbox", "name": name, "label": words, "query": "", "current": nothing, "options": [nothing]}
