"""What a strict reviewer looks for in the compose file, without starting it."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.config.conf import Settings
from deploy.compose.init_secrets import MADE, NOTIFICATIONS
from tests.deploy.composed import SERVICES, SHIPPED
from tests.deploy.engine import IMAGE, ROOT

_EVERY = pytest.mark.parametrize("name", sorted(SERVICES))
_ONE_SHOTS = {"init-secrets", "migrate", "role-deadlines", "alertmanager-config"}
# Its image has no program that could ask; Prometheus does.
_WITHOUT_HEALTH_CHECK = {"promtail"}
# Who may read which volume of secrets, and who may write there.
_READERS = {
    "secrets-postgres": {"postgres"},
    "secrets-owner": {"postgres", "migrate"},
    "secrets-application": {"postgres", "role-deadlines", "api"},
    "secrets-monitor": {"postgres", "postgres-exporter"},
    "secrets-grafana": {"grafana"},
    "secrets": {"alertmanager-config", "alertmanager"},
}


@_EVERY
def test_nobody_may_more_than_it_has_to(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert "privileged" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"pid", "ipc", "userns_mode"} & set(service)
    assert service.get("network_mode") in {None, "none"}


@_EVERY
def test_memory_processes_and_logs_have_limits(name: str) -> None:
    service = SERVICES[name]
    assert re.fullmatch(r"\d+[mg]", service["mem_limit"])
    assert service["pids_limit"] > 0
    assert service["logging"]["driver"] == "json-file"
    assert set(service["logging"]["options"]) == {"max-size", "max-file"}


@_EVERY
def test_images_are_pinned_by_a_full_version(name: str) -> None:
    image = SERVICES[name]["image"]
    assert re.fullmatch(r"[a-z/-]+:v?\d+(\.\d+){1,2}", image), image
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert f"goods-api:{version}" == IMAGE


@_EVERY
def test_ports_are_published_on_this_machine_alone(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        assert re.fullmatch(r"127\.0\.0\.1:(\d+):\1", port), port


def test_what_is_promised_is_published() -> None:
    ports = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert {name: port.split(":")[1] for name, (port,) in ports.items()} == {
        "api": "8000",
        "grafana": "3000",
        "prometheus": "9090",
        "alertmanager": "9093",
    }


@_EVERY
def test_health_is_asked_without_a_shell_or_curl(name: str) -> None:
    service = SERVICES[name]
    if name in _ONE_SHOTS:
        assert service["restart"] == "no"
        return
    assert service["restart"] == "unless-stopped"
    if name in _WITHOUT_HEALTH_CHECK:
        assert "healthcheck" not in service
        return
    test = service["healthcheck"]["test"]
    assert test[0] == "CMD"
    assert test[1] not in {"sh", "bash", "curl"}


@_EVERY
def test_no_secret_is_in_the_file(name: str) -> None:
    """A variable about a password names the file that has it."""
    for variable, value in SERVICES[name].get("environment", {}).items():
        if re.search(r"PASS|SECRET|TOKEN", variable):
            assert variable.endswith("_FILE"), variable
            assert value.startswith("/run/secrets/"), variable


def _mounts(name: str) -> list[tuple[str, str, bool]]:
    """Source, target and whether it is read-only, of each volume."""
    parts = [volume.split(":") for volume in SERVICES[name].get("volumes", [])]
    return [(part[0], part[1], part[2:] == ["ro"]) for part in parts]


def test_secrets_are_seen_by_those_who_need_them() -> None:
    seen = {
        volume: {name for name in SERVICES for source, _, _ in _mounts(name) if source == volume} - {"init-secrets"}
        for volume in SHIPPED["volumes"]
        if volume.startswith("secrets")
    }
    assert seen == _READERS
    groups = {target.rpartition("/")[2] for source, target, _ in _mounts("init-secrets") if source in _READERS}
    assert groups == {*MADE, "notifications"}
    for name in set(SERVICES) - {"init-secrets"}:
        assert all(read_only for source, _, read_only in _mounts(name) if source in _READERS)


def test_what_comes_from_the_checkout_is_there_and_cannot_be_changed() -> None:
    for name in SERVICES:
        for source, _, read_only in _mounts(name):
            if source.startswith(("./", "/")):
                assert read_only, source
            if source.startswith("./"):
                assert (ROOT / source).exists(), source


def test_one_service_has_the_docker_socket_and_the_file_says_where_to_read_about_it() -> None:
    assert [name for name in SERVICES if any("docker.sock" in source for source, _, _ in _mounts(name))] == ["promtail"]
    page = "docs/explanation/the-docker-socket.md"
    assert page in (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    assert (ROOT / page).exists()


def test_the_database_is_behind_a_network_without_a_way_out() -> None:
    assert SHIPPED["networks"]["data"] == {"internal": True}
    assert SERVICES["postgres"]["networks"] == ["data"]
    assert "ports" not in SERVICES["postgres"]
    assert [source for source, target, _ in _mounts("postgres") if target == "/var/lib/postgresql"] == ["postgres"]
    assert SERVICES["postgres"]["shm_size"] == "256m"


def test_whoever_is_stopped_has_the_time_it_takes() -> None:
    grace = int(SERVICES["api"]["stop_grace_period"].removesuffix("s"))
    assert grace > Settings.model_fields["shutdown_timeout"].default + 5


def test_the_connections_fit() -> None:
    """docs/how-to/size-the-pool.md has the sum: two of the service at a time, and those who look."""
    config = yaml.safe_load((ROOT / "db_config.yml").read_text(encoding="utf-8"))["data"]
    command = SERVICES["postgres"]["command"]
    most = int(next(option.partition("=")[2] for option in command if option.startswith("max_connections=")))
    assert 2 * (int(config["DB_POOL_SIZE"]) + 2) + 1 + 5 + 5 <= most - 3


def test_the_log_agent_looks_at_this_project() -> None:
    agent: dict[str, Any] = yaml.safe_load((ROOT / "monitoring/promtail/promtail.yml").read_text(encoding="utf-8"))
    filters = agent["scrape_configs"][0]["docker_sd_configs"][0]["filters"]
    assert f"com.docker.compose.project={SHIPPED['name']}" in filters[0]["values"]


def test_the_secrets_of_the_notifications_are_those_that_their_generator_reads() -> None:
    generator = Path(ROOT / "app/commands/alertmanager_channels.py").read_text(encoding="utf-8")
    assert {name for name in NOTIFICATIONS if f'"{name}"' in generator} == set(NOTIFICATIONS)
