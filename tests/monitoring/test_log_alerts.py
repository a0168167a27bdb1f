"""The alerts that are made of log lines: their filters against lines that the service really writes."""

import json
import logging
import re

import pytest

from app.logs.formatters import JsonFormatter
from tests.monitoring.grammar import parse
from tests.monitoring.rules import LOKI_ALERTS, ROOT, Rule

_PAGE = (ROOT / "docs" / "reference" / "logs.md").read_text(encoding="utf-8")


def _written(**fields: str) -> str:
    """An error line as the service writes it."""
    record = logging.makeLogRecord(
        {"name": "goods", "levelno": logging.ERROR, "levelname": "ERROR", "msg": "m", **fields}
    )
    return JsonFormatter(service="goods-api", version="1").format(record)


def _passes(line: str, expression: str) -> bool:
    """Whether the line filters of an expression let it through."""
    wanted = re.findall(r"\|= `([^`]*)`", expression)
    unwanted = re.findall(r"!= `([^`]*)`", expression)
    return all(text in line for text in wanted) and not any(text in line for text in unwanted)


def test_error_lines_are_counted_and_access_lines_are_not() -> None:
    (alert,) = [alert for alert in LOKI_ALERTS if alert.name == "GoodsErrorLinesRising"]
    events = ("http.request", "error.unhandled", "ledger.mismatch", "feed.failed")
    counted = {event for event in events if _passes(_written(event=event), alert.content["expr"])}
    assert counted == {"error.unhandled", "ledger.mismatch", "feed.failed"}
    assert json.loads(_written(event="feed.failed"))["level"] == "error"


def test_the_events_of_background_tasks_are_all_that_there_are() -> None:
    (alert,) = [alert for alert in LOKI_ALERTS if alert.name == "GoodsBackgroundTaskFailing"]
    pattern = re.search(r"event =~ `([^`]+)`", alert.content["expr"])
    assert pattern is not None
    documented = set(re.findall(r"`([a-z]+\.[a-z]+)`", _PAGE))
    failing = {event for event in documented if event.endswith(".failed")}
    assert {event for event in failing if re.fullmatch(pattern[1], event)} == failing - {"worker.failed"}


@pytest.mark.parametrize("alert", LOKI_ALERTS, ids=str)
def test_they_need_one_label_only(alert: Rule) -> None:
    """What else is a label depends on where it runs; the level is one everywhere."""
    assert set(re.findall(r"\{([^}]*)\}", alert.content["expr"])) == {'level="error"'}


def test_they_and_what_runbooks_ask_of_logs_are_logql() -> None:
    found = parse("logql", [alert.content["expr"] for alert in LOKI_ALERTS])
    assert [each.errors for each in found] == [[], []]
    pages = (ROOT / "docs" / "runbooks").glob("*.md")
    asked = [
        block.strip()
        for page in pages
        for block in re.findall(r"^ *```logql\n(.*?)^ *```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    ]
    assert asked
    assert {text: each.errors for text, each in zip(asked, parse("logql", asked), strict=True) if each.errors} == {}
