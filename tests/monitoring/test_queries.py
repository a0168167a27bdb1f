"""Every query is one, and asks for metrics that the programs give."""

import os
import re
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from app.commands.demo_mix import MIX, DemoShop
from app.config.conf import Settings
from tests.conftest import Service, until
from tests.monitoring.boards import ROOT, queries
from tests.monitoring.grammar import parse

PROMQL = [query for query in queries() if query.datasource == "prometheus"]
LOGQL = [query for query in queries() if query.datasource == "loki"]
# The collectors that the dashboards need beyond the exporter's defaults.
COLLECTORS = (
    "--collector.stat_statements",
    "--collector.stat_statements.include_query",
    "--collector.stat_checkpointer",
    "--collector.long_running_transactions",
)
# What Prometheus makes of itself, and the metrics of programs that can't be had for this test.
_OF_PROMETHEUS = {
    "up",
    "ALERTS",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "scrape_samples_post_metric_relabeling",
}
_ELSEWHERE = re.compile(r"(prometheus|alertmanager|loki|node|kubelet)_\w+")
_SLO = re.compile(
    r"goods_slo:(availability_errors|latency_slow):ratio_rate(5m|30m|1h|2h|6h|1d|3d|30d)"
    r"|goods_slo:(availability|latency)_budget_left:ratio"
)


def test_every_promql_is_promql() -> None:
    found = parse("promql", [query.expr for query in PROMQL])
    assert {query.panel: each.errors for query, each in zip(PROMQL, found, strict=True) if each.errors} == {}


def test_every_logql_is_logql() -> None:
    found = parse("logql", [query.expr for query in LOGQL])
    assert {query.panel: each.errors for query, each in zip(LOGQL, found, strict=True) if each.errors} == {}


def test_a_query_that_is_none_is_seen() -> None:
    (promql,) = parse("promql", ["sum by (route (rate(up[5m]))"])
    (logql,) = parse("logql", ['{service="api"} | json |'])
    assert promql.errors
    assert logql.errors


def _exporter() -> str:
    folders = os.pathsep.join([os.environ.get("TOOLS", ""), str(ROOT / ".tools" / "bin"), os.environ["PATH"]])
    path = shutil.which("postgres_exporter", path=folders)
    if path is None:
        pytest.skip("not run: postgres_exporter is neither in the folder TOOLS, nor in .tools/bin, nor on PATH")
    return path


def _names(text: str) -> set[str]:
    """Metrics' names, as they stand in queries."""
    return set(re.findall(r"^([a-zA-Z_:][\w:]*)[ {]", text, re.MULTILINE))


@pytest.fixture
async def exporter(direct: Settings, connection: Any, tmp_path: Path) -> AsyncIterator[str]:
    """The address of a real PostgreSQL exporter, on the run's database."""
    await connection.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
    program = _exporter()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    source = (
        f"host={direct.db_host} port={direct.db_port} user={direct.db_user} dbname={direct.db_name} sslmode=disable"
    )
    with (tmp_path / "exporter.log").open("w") as log:
        process = subprocess.Popen(  # noqa: ASYNC220 - it starts in no time
            [program, f"--web.listen-address=127.0.0.1:{port}", *COLLECTORS],
            env={**os.environ, "DATA_SOURCE_NAME": source},
            stdout=log,
            stderr=log,
        )
    yield f"http://127.0.0.1:{port}"
    process.kill()
    process.wait()


async def test_every_metric_of_a_dashboard_is_one_that_its_program_gives(service: Service, exporter: str) -> None:
    async with httpx2.AsyncClient(base_url=service.url, verify=False, timeout=30) as client:
        shop = DemoShop(client)
        await shop.open()
        for act in MIX:
            await shop.act(act)
        await shop.close()
        await service.parts.gauges.refresh()
        ours = _names((await client.get("/metrics")).text)

        async def scraped() -> str:
            try:
                text = (await client.get(f"{exporter}/metrics")).text
            except httpx2.TransportError:
                return ""
            return text if "\npg_up 1" in text else ""

        theirs = _names(await until(scraped))
    asked = {name for found in parse("promql", [query.expr for query in PROMQL]) for name in found.identifiers}
    assert {name for name in asked if name.startswith("pg_")} - theirs == set()
    others = {
        name for name in asked if not (name.startswith("pg_") or _ELSEWHERE.fullmatch(name) or _SLO.fullmatch(name))
    }
    assert others - _OF_PROMETHEUS - ours == set()
