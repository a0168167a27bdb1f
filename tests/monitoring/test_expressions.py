"""Every expression of rules, dashboards and runbooks, put to a real Prometheus that watches a service with traffic."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from tests.commands.conftest import Program
from tests.conftest import until
from tests.monitoring.expressions import (
    QUIET_METRICS,
    Expression,
    of_dashboards,
    of_rules,
    of_runbooks,
    opened,
)
from tests.monitoring.incident import Morning, morning
from tests.monitoring.rules import PROMETHEUS_RULES, ROOT, RUNBOOKS

pytestmark = pytest.mark.slow

_HURRY = 30
_PATIENCE = 60.0  # seconds until what was asked for has been scraped
# Whose metrics the rules may use besides our own: what Prometheus adds itself, and the exporters by their prefixes.
_FOREIGN = re.compile(
    r"(up|scrape_samples_post_metric_relabeling|ALERTS)$|(pg|node|kubelet|loki|alertmanager|prometheus|goods_slo)_|goods:|goods_slo:"
)

_NOT_HERE = re.compile(r"(loki|node|kubelet|grafana|promtail|alloy)_")


@pytest.fixture(scope="module")
async def watched(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Morning]:
    async with morning(tmp_path_factory.mktemp("watched"), by=_HURRY) as at:
        at.traffic.faulty = True
        done = await asyncio.to_thread(Program({}).run, "demo-traffic", str(at.traffic.url), "--seconds", "15")
        assert done.returncode == 0, done.stderr
        yield at


async def _without_data(at: Morning, expressions: list[Expression]) -> list[Expression]:
    """Those that give nothing before the deadline; what is quiet by nature is asked, and not waited for."""
    pending = list(expressions)

    async def all_have_data() -> bool:
        pending[:] = [each for each in pending if not await at.prometheus.query(each.text)]
        return all(each.quiet for each in pending)

    with suppress(TimeoutError):
        await until(all_have_data, seconds=_PATIENCE)
    return pending


async def test_every_rule_has_data_to_judge(watched: Morning) -> None:
    expressions = of_rules()
    assert len(expressions) > 60
    pending = await _without_data(watched, expressions)
    assert [str(each) for each in pending if not each.quiet] == []
    assert {each.where for each in pending} == {each.where for each in expressions if each.quiet}, "is it quiet still?"
    assert await watched.prometheus.unhealthy_rules() == []


async def test_every_selector_of_every_rule_finds_series(watched: Morning) -> None:
    """A label's value that no series has would make a rule that never fires."""
    found = [each for rule in PROMETHEUS_RULES for each in await watched.prometheus.selectors(rule.content["expr"])]
    expressions = [
        Expression(name, text, quiet=QUIET_METRICS.get(name))
        for name, text in sorted(set(found))
        if "absent" not in text
    ]
    assert len(expressions) > 40
    assert [str(each) for each in await _without_data(watched, expressions) if not each.quiet] == []


async def test_every_metric_of_every_rule_is_documented_or_an_exporters(watched: Morning) -> None:
    page = (ROOT / "docs" / "reference" / "metrics.md").read_text(encoding="utf-8")
    ours = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    ours |= {f"{name}_{suffix}" for name in ours for suffix in ("bucket", "count", "sum")}
    for rule in PROMETHEUS_RULES:
        for name, _ in await watched.prometheus.selectors(rule.content["expr"]):
            assert name in ours or _FOREIGN.match(name), f"{rule}: {name}"


async def test_every_panel_has_data_to_show(watched: Morning) -> None:
    """But for those of programs that can't be had here: they are not run, and their queries are only valid."""
    expressions = []
    for each in of_dashboards():
        names = {name for name, _ in await watched.prometheus.selectors(each.text)}
        absent = "its program is not run here" if names and all(map(_NOT_HERE.match, names)) else None
        expressions.append(replace(each, quiet=each.quiet or absent))
    assert expressions
    assert [str(each) for each in await _without_data(watched, expressions) if not each.quiet] == []


async def test_what_runbooks_ask_prometheus_can_answer(watched: Morning) -> None:
    expressions = list(of_runbooks())
    assert expressions
    for each in expressions:
        await watched.prometheus.query(each.text)


async def test_what_runbooks_ask_postgres_can_answer(watched: Morning) -> None:
    """Nothing of it is kept."""
    asked = 0
    async with watched.database.session() as session:
        for page in sorted(RUNBOOKS.glob("*.md")):
            for block in re.findall(
                r"^ *```sql\n(.*?)^ *```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
            ):
                transaction = session.transaction()
                await transaction.start()
                try:
                    await session.execute(block)
                finally:
                    await transaction.rollback()
                asked += 1
    assert asked


async def test_a_slow_request_leads_to_its_trace(watched: Morning) -> None:
    async def exemplars() -> list[Any]:
        return await watched.prometheus.exemplars("http_request_duration_seconds_bucket")

    found = await until(exemplars, seconds=_PATIENCE)
    assert re.fullmatch(r"[0-9a-f]{32}", found[0]["exemplars"][0]["labels"]["trace_id"])


def test_comparisons_are_opened_and_nothing_else() -> None:
    assert opened('a{x=~"b>c",y!="<"} >= 2 and b == 0') == 'a{x=~"b>c",y!="<"} >= bool 2 and b == bool 0'
    assert opened('absent(up{job="a"} == 1)') == 'absent(up{job="a"} == bool 1)'
