"""The real files with all durations divided, so that hours pass in minutes. Nothing else of the rules is changed."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.monitoring.rules import PROMETHEUS, RULES

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_IN_EXPRESSION = re.compile(r"(?<=\[)\d+[smhd](?=\])|(?<=offset )\d+[smhd]")
_FIELDS = ("for", "keep_firing_for", "interval", "group_wait", "group_interval", "repeat_interval")


def divided(duration: str, by: int, *, least: int = 0) -> str:
    """`5m` by 30 is `10000ms`, or `least` milliseconds if that is more."""
    milliseconds = int(duration[:-1]) * _SECONDS[duration[-1]] * 1000 // by
    return f"{max(milliseconds, least) if milliseconds else 0}ms"


def shortened(content: Any, by: int) -> Any:
    """A part of a file of rules, or of Alertmanager's routes."""
    match content:
        case list():
            return [shortened(item, by) for item in content]
        case dict():
            return {
                key: divided(value, by, least=500)
                if key in _FIELDS
                else _IN_EXPRESSION.sub(lambda found: divided(found[0], by), value)
                if key == "expr"
                else shortened(value, by)
                for key, value in content.items()
            }
    return content


def write_rules(folder: Path, by: int) -> None:
    """The rules of Prometheus, shortened."""
    folder.mkdir()
    for path in RULES.glob("*.yml"):
        content = shortened(yaml.safe_load(path.read_text(encoding="utf-8")), by)
        (folder / path.name).write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def write_alertmanager(path: Path, by: int) -> None:
    """Alertmanager's file, shortened in its place."""
    content = shortened(yaml.safe_load(path.read_text(encoding="utf-8")), by)
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def write_prometheus(path: Path, *, by: int, targets: Mapping[str, str], alertmanager: str) -> None:
    """Prometheus' configuration, at other addresses and intervals; a job without an address is left out."""
    content = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text(encoding="utf-8"))
    interval = divided("15s", by, least=1000)
    content["global"] |= {"scrape_interval": interval, "scrape_timeout": interval}
    content["global"]["evaluation_interval"] = divided("30s", by, least=1000)
    content["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]}
    content["scrape_configs"] = [
        {"job_name": job["job_name"], "static_configs": [{"targets": [targets[job["job_name"]]]}]}
        for job in content["scrape_configs"]
        if job["job_name"] in targets
    ]
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
