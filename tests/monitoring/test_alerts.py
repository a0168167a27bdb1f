"""What every alert has: a test that makes it fire, one that doesn't, its boundary, a severity, a runbook, a route."""

import re
from collections import Counter
from typing import Any

import pytest
import yaml

from tests.monitoring.rules import ALERTS, LOKI_ALERTS, PROMETHEUS_ALERTS, ROOT, RULE_TESTS, RUNBOOKS, Rule

_SEVERITIES = {"critical", "warning", "info"}
_DASHBOARDS = {"goods-api", "goods-business", "goods-database", "goods-logs", "goods-monitoring"}
_PARTS = ("What it means", "How to confirm", "How to mend")
_TESTS: list[dict[str, Any]] = [
    case
    for path in sorted(RULE_TESTS.glob("*.yml"))
    for case in yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]
    if "alert_rule_test" in case
]
alerts = pytest.mark.parametrize("alert", ALERTS, ids=str)


def _of(alert: Rule, kind: str) -> list[list[Any]]:
    """What the tests of one kind expect at each of their moments."""
    return [
        moment["exp_alerts"]
        for case in _TESTS
        if case["name"].startswith(f"{alert.name} {kind}: ")
        for moment in case["alert_rule_test"]
        if moment["alertname"] == alert.name
    ]


def test_there_are_alerts_and_their_names_are_their_own() -> None:
    assert len(ALERTS) > 30
    assert Counter(alert.name for alert in ALERTS).most_common(1)[0][1] == 1
    assert len(LOKI_ALERTS) <= 3


@pytest.mark.parametrize("alert", PROMETHEUS_ALERTS, ids=str)
def test_it_is_seen_to_fire_and_to_be_quiet_and_at_its_boundary(alert: Rule) -> None:
    fires = _of(alert, "fires")
    assert fires
    assert all(fires)
    if alert.name == "Watchdog":  # which is never quiet
        return
    quiet, boundary = _of(alert, "is quiet"), _of(alert, "at its boundary")
    assert quiet
    assert [] in quiet
    assert [] in boundary
    assert any(boundary)


def test_every_test_is_of_an_alert_that_there_is() -> None:
    names = {alert.name for alert in PROMETHEUS_ALERTS}
    for case in _TESTS:
        assert re.match(r"(\w+) (fires|is quiet|at its boundary): ", case["name"]), case["name"]
        assert {moment["alertname"] for moment in case["alert_rule_test"]} <= names


@alerts
def test_it_says_how_bad_it_is_and_what_it_belongs_to(alert: Rule) -> None:
    assert alert.labels.keys() == {"severity", "service", "component"}
    assert alert.labels["severity"] in ({"none"} if alert.name == "Watchdog" else _SEVERITIES)
    assert alert.labels["service"] == "goods-api"


@alerts
def test_it_says_what_is_the_matter(alert: Rule) -> None:
    assert alert.annotations.keys() == {"summary", "description", "runbook_url", "dashboard_url"}
    assert len(alert.annotations["summary"]) <= 80
    assert len(alert.annotations["description"]) <= 300, "five of them are one message on a phone"
    assert alert.annotations["description"].endswith(".")
    base, _, uid = alert.annotations["dashboard_url"].rpartition("/")
    assert (base, uid in _DASHBOARDS) == ("http://localhost:3000/d", True)


@alerts
def test_its_runbook_says_what_it_means_and_how_to_confirm_and_mend_it(alert: Rule) -> None:
    assert alert.annotations["runbook_url"] == f"https://goods-api.example/runbooks/{alert.runbook}.html"
    page = (RUNBOOKS / f"{alert.runbook}.md").read_text(encoding="utf-8")
    assert page.startswith(f"# {alert.name}\n")
    for part in _PARTS:
        content = page.partition(f"\n## {part}\n")[2].partition("\n## ")[0].strip()
        assert len(content) > 80, part
    assert "```" in page, "a command that can be copied"


def test_every_runbook_is_of_an_alert() -> None:
    pages = {path.stem for path in RUNBOOKS.glob("*.md")} - {"README"}
    assert pages == {alert.runbook for alert in ALERTS}


def test_the_reference_names_every_alert_with_its_severity() -> None:
    page = (ROOT / "docs" / "reference" / "alerts.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[(\w+)\]\(\.\./runbooks/([\w-]+)\.md\) \| (\w+) \|", page, re.MULTILINE)
    assert sorted(rows) == sorted((alert.name, alert.runbook, alert.labels["severity"]) for alert in ALERTS)


def test_runbooks_name_what_there_is_in_compose_and_in_the_cluster() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in RUNBOOKS.glob("*.md"))
    compose = ROOT / "docker-compose.yml"
    manifests = [*ROOT.glob("*_*.yml"), *(ROOT / "monitoring" / "kubernetes").glob("*.yml")]
    documents = [each for path in manifests for each in yaml.safe_load_all(path.read_text(encoding="utf-8")) if each]
    workloads = {f"{each['kind'].lower()}/{each['metadata']['name']}" for each in documents if "kind" in each}
    if not compose.exists() or "statefulset/postgres" not in workloads:
        pytest.skip("not run: there are no files of a deployment")
    services = set(yaml.safe_load(compose.read_text(encoding="utf-8"))["services"])
    asked = re.findall(r"docker-compose (?:ps|exec|restart|logs|up)(?: -d| --[\w-]+(?:=\S+)?)* ([a-z][\w-]*)", text)
    assert asked
    assert set(asked) <= services
    named = re.findall(r"\b(deploy|deployment|statefulset|daemonset)/([a-z][\w-]*)", text)
    assert {
        f"{kind.replace('deployment', 'deploy').replace('deploy', 'deployment')}/{name}" for kind, name in named
    } <= workloads
