"""The committed dashboards and the queries in them, as Grafana sends them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "monitoring" / "grafana" / "dashboards"
Json = dict[str, Any]

# What Grafana puts in for its own variables, and for ours while nothing is chosen or typed.
_BUILT_IN = {"$__rate_interval": "1m", "$__range": "5m", "$__auto": "1m", "$__interval": "15s"}
# Why a query finds nothing in a healthy deployment. A panel is named by its dashboard and its title.
QUIET = {
    ("goods-api", "Failures (5xx) by route"): "nothing has failed",
    ("goods-business", "Failed by our fault"): "nothing has failed",
    ("goods-database", "Wait for a connection of the pool"): "a connection is always free",
    ("goods-database", "Dead rows"): "tables of fewer than a thousand rows are left out",
    ("goods-monitoring", "Notifications that failed"): "there is nobody to tell",
    ("goods-monitoring", "Disk in use"): "the node exporter and the kubelet exist in a deployment only",
    ("*", "Alerts"): "no alert fires",
    ("*", "Deploys"): "no version appeared within the last minute",
}


@dataclass(frozen=True)
class Query:
    """One query of a panel (or of an annotation) with its variables filled in."""

    dashboard: str
    panel: str
    datasource: str
    expr: str

    @property
    def quiet(self) -> str | None:
        """Why it may find nothing."""
        return QUIET.get((self.dashboard, self.panel)) or QUIET.get(("*", self.panel))


def dashboards() -> dict[str, Json]:
    """The committed dashboards by uid."""
    read = (json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json")))
    return {dashboard["uid"]: dashboard for dashboard in read}


def panels(dashboard: Json) -> list[Json]:
    """The panels that show something, headings left out."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def queries() -> Iterator[Query]:
    """All queries of all dashboards: PromQL where `datasource` is `prometheus`, LogQL where it is `loki`."""
    for uid, dashboard in dashboards().items():
        for panel in panels(dashboard):
            for target in panel["targets"]:
                expr = filled_in(target["expr"], dashboard)
                yield Query(uid, panel["title"], target["datasource"]["type"], expr)
        for annotation in dashboard["annotations"]["list"]:
            yield Query(uid, annotation["name"], annotation["datasource"]["type"], annotation["target"]["expr"])


def filled_in(expr: str, dashboard: Json) -> str:
    """The expression with a value for each variable."""
    for variable in dashboard["templating"]["list"]:
        value = "" if variable["type"] == "textbox" else variable.get("allValue", ".*")
        for written in (f"${{{variable['name']}:regex}}", f"${{{variable['name']}}}", f"${variable['name']}"):
            expr = expr.replace(written, value)
    for name, value in _BUILT_IN.items():
        expr = expr.replace(name, value)
    return expr
