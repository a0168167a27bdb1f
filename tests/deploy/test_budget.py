"""The database's connections are enough for as many pods as there may ever be at a time."""

import re

from app.config.conf import load_settings
from tests.deploy.manifests import ROOT, one, workload

_BACKGROUND = 2  # what a process has beside its pool: health checks and gauges (docs/how-to/run-several-workers.md)
_EXPORTER = 5  # the CONNECTION LIMIT of goods_monitor
_PEOPLE = 3  # psql, a backup
_RESERVED = 3  # superuser_reserved_connections, PostgreSQL's default


def test_the_autoscaler_stays_within_the_databases_connections() -> None:
    scaler = one("HorizontalPodAutoscaler", "api")["spec"]
    surge = one("Deployment", "api")["spec"]["strategy"]["rollingUpdate"]["maxSurge"]
    settings = load_settings(one("ConfigMap", "db-config")["data"])
    # Pods that are ending still have their connections, and count for no surge: as many again as there may be.
    pods = 2 * scaler["maxReplicas"] + surge
    connections = pods * settings.api_workers * (settings.db_pool_size + _BACKGROUND)
    migrations = pods  # at most one pod migrates and the others wait, each over one connection
    assert connections + migrations + _EXPORTER + _PEOPLE <= _max_connections() - _RESERVED


def test_the_exporter_has_the_limit_that_is_counted_with() -> None:
    script = (ROOT / "deploy" / "postgres" / "roles.sh").read_text(encoding="utf-8")
    assert re.findall(r"CONNECTION LIMIT (\d+)", script) == [str(_EXPORTER)]


def _max_connections() -> int:
    (found,) = (
        int(argument.partition("=")[2])
        for argument in workload("postgres").main["args"]
        if argument.startswith("max_connections=")
    )
    return found
