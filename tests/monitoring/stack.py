"""The real Prometheus, Alertmanager and PostgreSQL exporter, at ports of their own, around a service under test."""

import json
import os
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from app.config.conf import Settings
from app.database.db import DatabaseAddress
from tests.conftest import until
from tests.monitoring.programs import program
from tests.monitoring.shortened import divided, write_prometheus, write_rules

_PATIENCE = 30.0  # seconds
ENV = "trial"  # what the deployment is called


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@contextmanager
def _running(log: Path, *command: str, environ: Mapping[str, str] | None = None) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environ)
        try:
            yield
            assert process.poll() is None, log.read_text(encoding="utf-8")[-3000:]
        finally:
            process.terminate()
            process.wait(timeout=_PATIENCE)


async def _ready(url: str) -> None:
    async with httpx2.AsyncClient(verify=False) as client:

        async def answers() -> bool:
            try:
                return (await client.get(url)).status_code == 200
            except httpx2.TransportError:
                return False

        await until(answers, seconds=_PATIENCE)


@asynccontextmanager
async def exporting(folder: Path, settings: Settings) -> AsyncIterator[str]:
    """PostgreSQL's exporter with the collectors that are off by default; its address."""
    port, address = free_port(), DatabaseAddress.of(settings)
    source = f"host={address.host} port={address.port} user={address.user} dbname={address.database} sslmode=disable"
    with _running(
        folder / "exporter.log",
        program("postgres_exporter"),
        f"--web.listen-address=127.0.0.1:{port}",
        "--collector.stat_checkpointer",
        "--collector.long_running_transactions",
        "--collector.stat_statements",
        "--collector.stat_statements.include_query",
        environ={"DATA_SOURCE_NAME": source},
    ):
        await _ready(f"http://127.0.0.1:{port}/metrics")
        yield f"127.0.0.1:{port}"


@dataclass
class Alertmanager:
    """A running Alertmanager."""

    address: str

    async def post(self, *alerts: Mapping[str, Any]) -> None:
        async with httpx2.AsyncClient(verify=False) as client:
            answer = await client.post(f"http://{self.address}/api/v2/alerts", json=alerts)
            assert answer.status_code == 200, answer.text

    async def alerts(self) -> list[dict[str, Any]]:
        async with httpx2.AsyncClient(verify=False) as client:
            found: list[dict[str, Any]] = (await client.get(f"http://{self.address}/api/v2/alerts")).json()
            return found

    async def inhibited(self) -> set[str]:
        """The names of alerts that others silence just now."""
        return {each["labels"]["alertname"] for each in await self.alerts() if each["status"]["inhibitedBy"]}


@asynccontextmanager
async def alerting(folder: Path, configuration: Path) -> AsyncIterator[Alertmanager]:
    """Alertmanager with this file."""
    port = free_port()
    with _running(
        folder / "alertmanager.log",
        program("alertmanager"),
        f"--config.file={configuration}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address=127.0.0.1:{port}",
        f"--web.external-url=http://127.0.0.1:{port}",
        "--cluster.listen-address=",
    ):
        await _ready(f"http://127.0.0.1:{port}/-/ready")
        yield Alertmanager(f"127.0.0.1:{port}")


def _selectors(node: Any) -> Iterator[tuple[str, str]]:
    """Walk what Prometheus says an expression consists of."""
    if isinstance(node, list):
        for each in node:
            yield from _selectors(each)
    if isinstance(node, dict):
        if node.get("type") in ("vectorSelector", "matrixSelector"):
            matchers = [f"{m['name']}{m['type']}{json.dumps(m['value'])}" for m in node["matchers"]]
            yield node["name"], f"{{{','.join(sorted(matchers))}}}"
        for value in node.values():
            yield from _selectors(value)


@dataclass
class Prometheus:
    """A running Prometheus."""

    address: str

    async def _get(self, path: str, **parameters: str) -> Any:
        async with httpx2.AsyncClient(verify=False, timeout=30) as client:
            answer = (await client.get(f"http://{self.address}/api/v1/{path}", params=parameters)).json()
        assert answer["status"] == "success", f"{parameters}: {answer.get('error')}"
        return answer["data"]

    async def query(self, expression: str) -> list[dict[str, Any]]:
        """What the expression gives now. An error of it fails the test."""
        data = await self._get("query", query=expression)
        return [data["result"]] if data["resultType"] in ("scalar", "string") else data["result"]

    async def selectors(self, expression: str) -> list[tuple[str, str]]:
        """The metrics that it reads: name, and the selector without its time."""
        return list(_selectors(await self._get("parse_query", query=expression)))

    async def exemplars(self, selector: str) -> list[dict[str, Any]]:
        now = time.time()
        data: list[dict[str, Any]] = await self._get(
            "query_exemplars", query=selector, start=str(now - 600), end=str(now)
        )
        return data

    async def firing(self) -> set[str]:
        found = await self.query('ALERTS{alertstate="firing"}')
        return {each["metric"]["alertname"] for each in found}

    async def unhealthy_rules(self) -> list[str]:
        groups = (await self._get("rules"))["groups"]
        return [f"{rule['name']}: {rule['lastError']}" for g in groups for rule in g["rules"] if rule.get("lastError")]

    async def up(self) -> dict[str, str]:
        """By job, whether it answers."""
        return {each["metric"]["job"]: each["value"][1] for each in await self.query("up")}


@asynccontextmanager
async def watching(
    folder: Path, *, by: int, targets: Mapping[str, str], alertmanager: str
) -> AsyncIterator[Prometheus]:
    """Prometheus with the real rules, all durations divided, once all its targets have answered."""
    port = free_port()
    every = {**targets, "prometheus": f"127.0.0.1:{port}", "alertmanager": alertmanager}
    write_rules(folder / "rules", by)
    write_prometheus(folder / "prometheus.yml", by=by, targets=every, alertmanager=alertmanager)
    with _running(
        folder / "prometheus.log",
        program("prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--enable-feature=exemplar-storage",
        f"--rules.alert.resend-delay={divided('30s', by, least=1000)}",
        environ={**os.environ, "GOODS_ENV": ENV},
    ):
        await _ready(f"http://127.0.0.1:{port}/-/ready")
        running = Prometheus(f"127.0.0.1:{port}")

        async def all_up() -> bool:
            return await running.up() == dict.fromkeys(every, "1")

        await until(all_up, seconds=_PATIENCE)
        yield running
