"""`docker-compose up --build` and what follows, with the shipped file as it is."""

import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.conftest import until
from tests.deploy.composed import (
    ALERTMANAGER,
    API,
    SERVICES,
    Project,
    published_ports,
    queried,
    runnable,
    targets,
    versions,
)
from tests.deploy.engine import POSTGRES, described, docker, need_engine
from tests.deploy.page import lines_below

pytestmark = pytest.mark.slow
_ONE_SHOTS = {name for name, service in SERVICES.items() if service.get("restart") == "no"}
_SCRAPED = {
    "api": "goods-api",
    "postgres-exporter": "postgres",
    "prometheus": "prometheus",
    "alertmanager": "alertmanager",
    "loki": "loki",
    "grafana": "grafana",
    "promtail": "promtail",
    "node-exporter": "node",
}
_PROMISED = 60.0  # seconds until all targets are up


@pytest.fixture
def project() -> Iterator[Project]:
    need_engine(POSTGRES)
    with published_ports():
        project = Project(f"goods-test-{uuid.uuid4().hex[:8]}")
        yield project
        project.destroy()


@pytest.mark.parametrize("service", sorted(set(SERVICES) - _ONE_SHOTS))
def test_the_image_of_the_service_can_be_had(service: str) -> None:
    """A service that the test below leaves out is named among what was not run."""
    need_engine()
    if not runnable(service):
        pytest.skip(f"not run: {service}, because its image {SERVICES[service]['image']} can't be had here")


async def test_from_up_to_down(project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Everything that can be had here comes up, is watched and tells; goods survive; nothing is left in the end.

    They survive `down` and `up`, and by a backup the end of the volumes.
    """
    services = [name for name in SERVICES if runnable(name) and name not in _ONE_SHOTS]
    began = time.monotonic()
    project.up(*services)
    built = time.monotonic() - began
    up = {_SCRAPED[name] for name in services if name in _SCRAPED}
    await until(lambda: {job for job, health in _targets().items() if health == "up"} >= up, seconds=_PROMISED)
    watched = time.monotonic() - began - built
    await until(lambda: _all_healthy(project, services), seconds=60)
    _answers()
    kept = httpx2.post(f"{API}/goods", json={"sku": "KEPT", "name": "Kept", "price": "1.00", "stock": 3}).json()
    await until(lambda: [value for _, value in queried("goods_created_total")] == ["1"], seconds=40)
    assert [value for _, value in queried("pg_up")] == ["1"]
    assert queried("count(pg_stat_statements_calls_total)"), "the exporter reads no statements"
    _roles_may_do_their_own_work_and_no_more(project)
    _the_database_has_no_way_out(project)
    told = await _an_alert_is_delivered(project)
    left_out = sorted(set(SERVICES) - set(services) - _ONE_SHOTS)
    with capsys.disabled():
        print(  # noqa: T201 - what a reader of the test's output wants to know
            f"\ncompose: up after {built:.0f} s with the build, all targets up {watched:.0f} s later, an alert"
            f" delivered after {told:.0f} s; {versions(project)}; not run: {', '.join(left_out) or 'nothing'}"
        )
    project.compose("down")
    project.up("api")
    await _there(kept)
    project.run_page(lines_below("back-up-and-restore.md", "With compose"), tmp_path)
    await _there(kept)
    docker("rm", "--force", project.receiver)
    project.compose("down", "--volumes")
    assert project.left() == []


async def _there(kept: Any) -> None:
    def served() -> bool:
        try:
            return httpx2.get(f"{API}/readyz", timeout=5).status_code == 200
        except httpx2.TransportError:
            return False

    await until(served, seconds=60)
    assert httpx2.get(f"{API}/goods/by-sku/KEPT", timeout=10).json() == kept


def _targets() -> dict[str, str]:
    try:
        return targets()
    except httpx2.TransportError:
        return {}


def _all_healthy(project: Project, services: list[str]) -> bool:
    states = project.states()
    wanted = {name: "healthy" if "healthcheck" in SERVICES[name] else "running" for name in services}
    return {name: state for name, state in states.items() if name in wanted} == wanted


def _answers() -> None:
    """The addresses that the compose file promises at the top."""
    for path in ("/", "/docs", "/metrics", "/readyz"):
        assert httpx2.get(f"{API}{path}", timeout=10).status_code == 200, path


def _roles_may_do_their_own_work_and_no_more(project: Project) -> None:
    assert project.sql("goods", "SELECT name FROM goods").stdout.strip() == "Kept"
    for role, statement in (
        ("goods", "CREATE TABLE mine (a int)"),
        ("goods", "ALTER TABLE goods ADD COLUMN mine int"),
        ("goods", "DROP TABLE goods"),
        ("goods", "TRUNCATE goods CASCADE"),
        ("goods_monitor", "SELECT * FROM goods"),
        ("goods_monitor", "SELECT * FROM access_keys"),
    ):
        refused = project.sql(role, statement)
        assert refused.returncode != 0, (role, statement)
        assert "permission denied" in refused.stderr or "must be owner" in refused.stderr, refused.stderr
    assert project.sql("goods", "SHOW statement_timeout").stdout.strip() == "5s"


def _the_database_has_no_way_out(project: Project) -> None:
    assert described("network", f"{project.name}_data")["Internal"] is True
    postgres = described("container", project.container("postgres"))
    assert list(postgres["NetworkSettings"]["Networks"]) == [f"{project.name}_data"]
    for service in ("api", "postgres", "prometheus", "alertmanager"):
        status = docker("exec", project.container(service), "cat", "/proc/1/status").splitlines()
        fields: dict[str, Any] = dict(line.split(":\t", 1) for line in status if ":\t" in line)
        assert fields["CapBnd"].strip("0") == "", service
        assert fields["NoNewPrivs"] == "1", service
        assert fields["Uid"].split()[0] != "0", service


async def _an_alert_is_delivered(project: Project) -> float:
    """Turn Slack on as the how-to says, raise an alert by hand; the seconds until it is told."""
    project.receive()
    url = "http://receiver:8080/services/of-this-test"
    project.compose("run", "--rm", "--no-TTY", "init-secrets", "set", "slack_api_url", stdin=url)
    project.compose("up", "--detach", "--force-recreate", "alertmanager-config", "alertmanager")
    began = time.monotonic()
    alert = {"labels": {"alertname": "OfThisTest", "severity": "critical"}, "annotations": {"summary": "Only a test"}}

    def raised() -> bool:
        try:
            return httpx2.post(f"{ALERTMANAGER}/api/v2/alerts", json=[alert], timeout=5).status_code == 200
        except httpx2.TransportError:
            return False

    await until(raised, seconds=30)
    await until(lambda: "OfThisTest" in project.received(), seconds=90)
    assert "/services/of-this-test" in project.received()
    return time.monotonic() - began
