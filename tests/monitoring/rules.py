"""The rules and the tests of them, as the files say them."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "monitoring" / "prometheus"
RULES = PROMETHEUS / "rules"
LOKI_RULES = ROOT / "monitoring" / "loki" / "rules"
RULE_TESTS = Path(__file__).parent
RUNBOOKS = ROOT / "docs" / "runbooks"


@dataclass(frozen=True)
class Rule:
    """One rule; `alert` or `record` is its name."""

    file: Path
    group: str
    content: dict[str, Any]

    @property
    def name(self) -> str:
        name: str = self.content.get("alert") or self.content["record"]
        return name

    @property
    def is_alert(self) -> bool:
        return "alert" in self.content

    @property
    def labels(self) -> dict[str, str]:
        labels: dict[str, str] = self.content.get("labels", {})
        return labels

    @property
    def annotations(self) -> dict[str, str]:
        annotations: dict[str, str] = self.content.get("annotations", {})
        return annotations

    @property
    def runbook(self) -> str:
        """The name of its page: GoodsApiDown is goods-api-down."""
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", self.name).lower()

    def __str__(self) -> str:
        return self.name


def rules_of(folder: Path) -> list[Rule]:
    return [
        Rule(path, group["name"], content)
        for path in sorted(folder.glob("*.yml"))
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
        for content in group["rules"]
    ]


PROMETHEUS_RULES = rules_of(RULES)
PROMETHEUS_ALERTS = [rule for rule in PROMETHEUS_RULES if rule.is_alert]
LOKI_ALERTS = [rule for rule in rules_of(LOKI_RULES) if rule.is_alert]
ALERTS = PROMETHEUS_ALERTS + LOKI_ALERTS


def laid_out(folder: Path, *, scrape: str) -> Path:
    """Prometheus' files as they are mounted, with one of the two scrape files; gives the configuration's path."""
    (folder / "rules").mkdir(parents=True)
    (folder / "scrape.d").mkdir()
    for path in RULES.glob("*.yml"):
        (folder / "rules" / path.name).write_bytes(path.read_bytes())
    (folder / "scrape.d" / scrape).write_bytes((PROMETHEUS / "scrape" / scrape).read_bytes())
    configuration = folder / "prometheus.yml"
    configuration.write_bytes((PROMETHEUS / "prometheus.yml").read_bytes())
    return configuration
