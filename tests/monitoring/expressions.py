"""Every PromQL expression that somebody relies on: of rules, of dashboards, of runbooks."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tests.monitoring.boards import queries
from tests.monitoring.rules import PROMETHEUS_RULES, RUNBOOKS

_STRING = re.compile(r'"[^"]*"')
_COMPARISON = re.compile(r"(?<![=!<>~])(==|!=|>=|<=|>|<)(?![=~\x22])(?!\s*bool\b)")


@dataclass(frozen=True)
class Expression:
    """One expression, where it stands, and the reason if it finds nothing where all is well."""

    where: str
    text: str
    quiet: str | None = None

    def __str__(self) -> str:
        return f"{self.where}: {self.text}"


_NO_LOKI = "there is no Loki on this machine"
# Why an alert's expression gives nothing although its comparisons are open, or a recorded series has no source here.
QUIET_RULES = {
    "GoodsApiAbsent": "something is there",
    "AlertmanagerDown": "something is there",
    "DiskFilling": "the node exporter and the kubelet exist in a deployment only",
    "goods:disk_free:ratio": "the node exporter and the kubelet exist in a deployment only",
}
QUIET_METRICS = {
    "node_filesystem_avail_bytes": "node exporter exists in a deployment only",
    "node_filesystem_size_bytes": "node exporter exists in a deployment only",
    "kubelet_volume_stats_available_bytes": "the kubelet exists in a cluster only",
    "kubelet_volume_stats_capacity_bytes": "the kubelet exists in a cluster only",
    "goods:disk_free:ratio": "it is made of the two above",
    "loki_prometheus_rule_evaluation_failures_total": _NO_LOKI,
    "loki_distributor_lines_received_total": _NO_LOKI,
}


def opened(text: str) -> str:
    """With comparisons that answer 0 or 1 instead of filtering: so an alert shows whether it has data."""
    strings = _STRING.findall(text)
    bare = _COMPARISON.sub(r"\1 bool", _STRING.sub('""', text))
    parts = bare.split('""')
    return "".join(part + string for part, string in zip(parts, [*strings, ""], strict=True))


def of_rules() -> list[Expression]:
    """An alert's expression without its threshold; a recording rule's by the name that it records."""
    return [
        Expression(
            rule.name, opened(rule.content["expr"]) if rule.is_alert else rule.name, quiet=QUIET_RULES.get(rule.name)
        )
        for rule in PROMETHEUS_RULES
    ]


def of_dashboards() -> Iterator[Expression]:
    """What the committed dashboards ask of Prometheus, their variables filled in."""
    for query in queries():
        if query.datasource == "prometheus":
            yield Expression(f"{query.dashboard}, {query.panel}", query.expr, quiet=query.quiet)


def of_runbooks() -> Iterator[Expression]:
    for page in sorted(RUNBOOKS.glob("*.md")):
        for block in re.findall(
            r"^ *```promql\n(.*?)^ *```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
        ):
            yield Expression(page.name, block.strip())
