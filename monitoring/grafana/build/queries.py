"""What a panel asks: PromQL of Prometheus, or LogQL of Loki."""

from typing import Any, Final

Json = dict[str, Any]

PROMETHEUS: Final[Json] = {"type": "prometheus", "uid": "prometheus"}
LOKI: Final[Json] = {"type": "loki", "uid": "loki"}


def prometheus(expr: str, legend: str = "", *, exemplars: bool = False) -> Json:
    """A line for each series, over time; with `exemplars` the traces behind the numbers as points."""
    return {
        "datasource": PROMETHEUS,
        "expr": expr,
        "legendFormat": legend or "__auto",
        "range": True,
        "exemplar": exemplars,
    }


def now(expr: str, legend: str = "") -> Json:
    """The value of each series at the end of the time that is shown."""
    return {"datasource": PROMETHEUS, "expr": expr, "legendFormat": legend or "__auto", "instant": True, "range": False}


def rows(expr: str) -> Json:
    """The same, as rows of a table."""
    return now(expr) | {"format": "table"}


def buckets(expr: str) -> Json:
    """The buckets of a histogram (`sum by (le)`), for a heatmap."""
    return prometheus(expr, "{{le}}", exemplars=True) | {"format": "heatmap"}


def loki(expr: str, legend: str = "") -> Json:
    """Log lines, or numbers made of them over time."""
    return {"datasource": LOKI, "expr": expr, "legendFormat": legend, "queryType": "range"}


def loki_now(expr: str, legend: str = "") -> Json:
    """Numbers made of log lines, at the end of the time that is shown."""
    return {"datasource": LOKI, "expr": expr, "legendFormat": legend, "queryType": "instant"}
