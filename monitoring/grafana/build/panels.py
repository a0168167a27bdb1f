"""How an answer is shown. Each panel says in its description what it means and what to do about it, and has a unit.

Units are Grafana's names: `reqps` requests a second, `percentunit` 0 to 1 as percent, `s`, `ms`, `bytes`, `short`.
"""

from monitoring.grafana.build.queries import Json

_TEXT = "text"
_RED, _ORANGE, _GREEN, _BLUE = "red", "orange", "green", "blue"

# Thresholds: steps of (from this value on, colour).
Steps = list[tuple[float | None, str]]
PLAIN: Steps = [(None, _TEXT)]
ZERO_IS_GOOD: Steps = [(None, _GREEN), (1, _RED)]
ONE_IS_GOOD: Steps = [(None, _RED), (1, _GREEN)]
BUDGET: Steps = [(None, _RED), (0.1, _ORANGE), (0.5, _GREEN)]
SHARE_IN_USE: Steps = [(None, _GREEN), (0.8, _ORANGE), (0.95, _RED)]


def upward(orange: float, red: float) -> Steps:
    """Green below `orange`, and red from `red` on."""
    return [(None, _GREEN), (orange, _ORANGE), (red, _RED)]


def _thresholds(steps: Steps) -> Json:
    return {"mode": "absolute", "steps": [{"value": value, "color": colour} for value, colour in steps]}


def _panel(kind: str, title: str, description: str, queries: list[Json]) -> Json:
    targets = [query | {"refId": chr(ord("A") + n)} for n, query in enumerate(queries)]
    return {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": queries[0]["datasource"],
        "targets": targets,
    }


def stat(
    title: str, description: str, *queries: Json, unit: str, steps: Steps = PLAIN, decimals: int | None = None,
    words: dict[str, str] | None = None,
) -> Json:  # fmt: skip
    """One number. `words` are shown instead of values, as {"1": "up"}."""
    defaults: Json = {
        "unit": unit,
        "thresholds": _thresholds(steps),
        "color": {"mode": "thresholds"},
        "noValue": "none",
    }
    if decimals is not None:
        defaults["decimals"] = decimals
    if words:
        options = {value: {"text": text, "index": n} for n, (value, text) in enumerate(words.items())}
        defaults["mappings"] = [{"type": "value", "options": options}]
    return _panel("stat", title, description, list(queries)) | {
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": {
            "colorMode": "value" if steps is PLAIN else "background",
            "graphMode": "none",
            "textMode": "auto",
            "justifyMode": "center",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        },
    }


def chart(
    title: str, description: str, *queries: Json, unit: str, stacked: bool = False, steps: Steps | None = None,
    most: float | None = None, colours: dict[str, str] | None = None,
) -> Json:  # fmt: skip
    """Lines over time, from zero. `steps` are drawn as limits, `colours` are for series by their names."""
    custom: Json = {
        "drawStyle": "line",
        "lineWidth": 1,
        "fillOpacity": 40 if stacked else 8,
        "showPoints": "never",
        "spanNulls": False,
        "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
        "thresholdsStyle": {"mode": "dashed" if steps else "off"},
    }
    defaults: Json = {
        "unit": unit,
        "min": 0,
        "color": {"mode": "palette-classic"},
        "thresholds": _thresholds(steps or PLAIN),
        "custom": custom,
    }
    if most is not None:
        defaults["max"] = most
    overrides = [
        {
            "matcher": {"id": "byName", "options": name},
            "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": colour}}],
        }
        for name, colour in (colours or {}).items()
    ]
    return _panel("timeseries", title, description, list(queries)) | {
        "fieldConfig": {"defaults": defaults, "overrides": overrides},
        "options": {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
    }


def bars(title: str, description: str, *queries: Json, unit: str, steps: Steps = PLAIN) -> Json:
    """A bar for each series, the longest first as the query sorts them."""
    return _panel("bargauge", title, description, list(queries)) | {
        "fieldConfig": {
            "defaults": {"unit": unit, "min": 0, "thresholds": _thresholds(steps), "color": {"mode": "thresholds"}},
            "overrides": [],
        },
        "options": {
            "orientation": "horizontal",
            "displayMode": "gradient",
            "showUnfilled": True,
            "valueMode": "color",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        },
    }


def heatmap(title: str, description: str, query: Json, *, unit: str) -> Json:
    """How many of the requests took how long: the darker, the more."""
    return _panel("heatmap", title, description, [query]) | {
        "fieldConfig": {"defaults": {"unit": unit, "custom": {}}, "overrides": []},
        "options": {
            "calculate": False,
            "yAxis": {"unit": unit, "axisPlacement": "left"},
            "rowsFrame": {"layout": "auto"},
            "color": {"mode": "scheme", "scheme": "Blues", "steps": 64, "exponent": 0.5},
            "cellGap": 1,
            "exemplars": {"color": "rgba(255,0,255,0.7)"},
            "tooltip": {"mode": "single", "yHistogram": True},
            "legend": {"show": True},
        },
    }


def table(
    title: str, description: str, *queries: Json, unit: str, columns: dict[str, str],
    units: dict[str, str] | None = None, links: dict[str, tuple[str, str]] | None = None,
) -> Json:  # fmt: skip
    """Rows. `columns` are the fields that are shown, in order, and their headings; `units` are by heading.

    `links` are a heading's (words, address), in which `${__value.raw}` stands for the cell.
    """
    overrides = [
        {"matcher": {"id": "byName", "options": heading}, "properties": [{"id": "unit", "value": each}]}
        for heading, each in (units or {}).items()
    ]
    overrides += [
        {
            "matcher": {"id": "byName", "options": heading},
            "properties": [{"id": "links", "value": [{"title": words, "url": url}]}],
        }
        for heading, (words, url) in (links or {}).items()
    ]
    transformations: list[Json] = [{"id": "merge", "options": {}}] if len(queries) > 1 else []
    transformations += [
        {"id": "filterFieldsByName", "options": {"include": {"names": list(columns)}}},
        {
            "id": "organize",
            "options": {"indexByName": {field: n for n, field in enumerate(columns)}, "renameByName": columns},
        },
    ]
    return _panel("table", title, description, list(queries)) | {
        "fieldConfig": {"defaults": {"unit": unit, "custom": {"filterable": True}}, "overrides": overrides},
        "options": {"showHeader": True, "cellHeight": "sm"},
        "transformations": transformations,
    }


def lines(title: str, description: str, query: Json) -> Json:
    """Log lines, newest first; a click on one opens its fields, and its ids are links."""
    return _panel("logs", title, description, [query]) | {
        "fieldConfig": {"defaults": {"unit": "string"}, "overrides": []},
        "options": {
            "showTime": True,
            "showLabels": False,
            "showCommonLabels": False,
            "wrapLogMessage": True,
            "prettifyLogMessage": False,
            "enableLogDetails": True,
            "dedupStrategy": "none",
            "sortOrder": "Descending",
        },
    }
