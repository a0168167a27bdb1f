"""Prometheus' own judge of the configuration, the rules, and their tests."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.monitoring.programs import run
from tests.monitoring.rules import PROMETHEUS, PROMETHEUS_ALERTS, ROOT, RULE_TESTS, RULES, laid_out

_TESTS = sorted(RULE_TESTS.glob("*.yml"))
CONFIGURATION = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text(encoding="utf-8"))


def test_the_configuration_is_valid_and_finds_rules_in_compose(tmp_path: Path) -> None:
    said = run("promtool", "check", "config", "--lint=all", "--lint-fatal", laid_out(tmp_path, scrape="compose.yml"))
    counts = [int(count) for count in re.findall(r"SUCCESS: (\d+) rules found", said)]
    assert len(counts) == len(list(RULES.iterdir()))
    assert min(counts) > 0
    assert f"{len(counts)} rule files found" in said


def test_the_configuration_is_valid_in_a_cluster(tmp_path: Path) -> None:
    """By its syntax only: the service account's token is not on this machine."""
    run("promtool", "check", "config", "--syntax-only", laid_out(tmp_path, scrape="kubernetes.yml"))


def test_there_is_nothing_but_rules_where_prometheus_looks_for_them() -> None:
    assert {path.suffix for path in RULES.iterdir()} == {".yml"}
    assert CONFIGURATION["rule_files"] == ["rules/*.yml"]


@pytest.mark.parametrize("path", sorted(RULES.iterdir()), ids=lambda path: path.name)
def test_the_rules_are_valid(path: Path) -> None:
    run("promtool", "check", "rules", "--lint=all", "--lint-fatal", path)


def _with_its_time(path: Path) -> Any:
    """The alerts of the service itself are tried in every run; all of them take half a minute, the objectives most."""
    slow = path.name != "api.yml"
    return pytest.param(path, id=path.name, marks=[pytest.mark.slow] if slow else [])


@pytest.mark.parametrize("path", [_with_its_time(path) for path in _TESTS])
def test_the_rules_do_what_their_tests_say(path: Path) -> None:
    run("promtool", "test", "rules", path)


def test_a_rule_test_that_is_wrong_fails(tmp_path: Path) -> None:
    """The judge has teeth: with another number in it the test of an alert does not pass."""
    text = (RULE_TESTS / "api.yml").read_text(encoding="utf-8")
    assert text.count("eval_time: 1m30s, alertname: GoodsRequestsPilingUp") == 1
    wrong = text.replace(
        "eval_time: 1m30s, alertname: GoodsRequestsPilingUp", "eval_time: 3m, alertname: GoodsRequestsPilingUp"
    )
    (tmp_path / "wrong.yml").write_text(wrong.replace("../../monitoring", str(PROMETHEUS.parent)), encoding="utf-8")
    with pytest.raises(AssertionError, match="GoodsRequestsPilingUp"):
        run("promtool", "test", "rules", tmp_path / "wrong.yml")


def test_what_is_not_counted_is_the_same_everywhere() -> None:
    text = (RULES / "slo.yml").read_text(encoding="utf-8")
    lists = re.findall(r'route!~"([^"]+)"', text)
    assert len(lists) == text.count("{job=")
    assert len(set(lists)) == 1


@pytest.mark.parametrize("pace", ["FastBurn", "SlowBurn"])
def test_both_objectives_burn_by_the_same_rule(pace: str) -> None:
    """So what the tests of one find of its windows holds for the other."""
    expressions = {rule.name: rule.content["expr"] for rule in PROMETHEUS_ALERTS}
    availability = expressions[f"GoodsAvailability{pace}"]
    latency = availability.replace("availability_errors", "latency_slow").replace("* 0.001", "* 0.05")
    assert expressions[f"GoodsLatency{pace}"] == latency


def test_the_warning_comes_before_the_limit_of_samples() -> None:
    text = (RULES / "monitoring.yml").read_text(encoding="utf-8")
    threshold = re.search(r"scrape_samples_post_metric_relabeling > (\d+)", text)
    assert threshold is not None
    limit = CONFIGURATION["global"]["sample_limit"]
    assert int(threshold[1]) == limit * 8 // 10
    assert f"At {limit} the whole scrape is refused" in text


def test_every_job_is_found_by_name() -> None:
    """A static address of a service would be another replica at each scrape."""
    for job in CONFIGURATION["scrape_configs"]:
        if job["job_name"] != "prometheus":
            (discovery,) = job["dns_sd_configs"]
            assert discovery["type"] == "A"


def test_the_flags_that_the_file_asks_for_are_in_the_documentation() -> None:
    text = (PROMETHEUS / "prometheus.yml").read_text(encoding="utf-8")
    page = (ROOT / "docs" / "reference" / "alerts.md").read_text(encoding="utf-8")
    flags = re.findall(r"^#   (--(?:storage.tsdb.retention|enable|rules)\S+)", text, re.MULTILINE)
    assert len(flags) == 4
    for flag in flags:
        assert f"`{flag}`" in page
