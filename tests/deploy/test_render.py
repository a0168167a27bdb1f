"""What is rendered: valid, complete, and the same as the files that it is made of."""

import hashlib
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.deploy.manifests import (
    RENDERED,
    ROOT,
    assert_valid,
    configured_files,
    kustomized,
    named,
    objects,
    one,
    workload,
    workloads,
)

# Where the files of each generated ConfigMap are.
SOURCES = {
    "postgres-init": "deploy/postgres/roles.sh",
    "prometheus-config": "monitoring/prometheus/prometheus.yml",
    "prometheus-rules": "monitoring/prometheus/rules/*.yml",
    "prometheus-scrape": "monitoring/prometheus/scrape/kubernetes.yml",
    "alertmanager-templates": "monitoring/alertmanager/templates/*.tmpl",
    "loki-config": "monitoring/loki/loki.yml",
    "loki-rules": "monitoring/loki/rules/*.yml",
    "promtail-config": "monitoring/promtail/promtail.kubernetes.yml",
    "grafana-datasources": "monitoring/grafana/provisioning/datasources/*.yml",
    "grafana-dashboard-providers": "monitoring/grafana/provisioning/dashboards/*.yml",
    "grafana-dashboards": "monitoring/grafana/dashboards/*.json",
}
# Under another name in the cluster.
RENAMED = {"roles.sh": "10-roles.sh", "promtail.kubernetes.yml": "promtail.yml"}
_MEBIBYTE = 1_048_576  # the most that a ConfigMap may hold


def test_every_object_is_valid_by_the_strict_schema_of_the_newest_kubernetes() -> None:
    for document in objects():
        assert_valid(document)


def test_the_strict_schema_refuses_a_slip_of_the_pen() -> None:
    wrong = one("Deployment", "api") | {"spce": {}}
    with pytest.raises(kubernetes_validate.ValidationError):
        assert_valid(wrong)


def test_checkov_finds_nothing() -> None:
    """With the exceptions that `make lint-manifests` names."""
    checkov = ROOT / ".tools" / "lint" / "bin" / "checkov"
    if not checkov.exists():
        pytest.skip("not run: `make lint-image` installs checkov, and has not yet")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (excepted,) = re.findall(r"--skip-check (\S+) --file terraform/rendered/manifests.yml", makefile)
    command = [str(checkov), "--quiet", "--compact", "--skip-download", "--framework", "kubernetes"]
    done = subprocess.run(
        [*command, "--skip-check", excepted, "--file", str(RENDERED)],
        capture_output=True, text=True, check=False, env={**os.environ, "LOG_LEVEL": "ERROR"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_every_manifest_of_the_repository_is_rendered() -> None:
    listed = yaml.safe_load((ROOT / "kustomization.yaml").read_text(encoding="utf-8"))["resources"]
    there = [
        str(path.relative_to(ROOT))
        for path in (*ROOT.glob("*.yml"), *(ROOT / "monitoring" / "kubernetes").glob("*.yml"))
        if "apiVersion:" in path.read_text(encoding="utf-8") and "secrets" not in path.name
    ]
    assert sorted(listed) == sorted(there)


def test_no_secret_is_rendered() -> None:
    assert objects("Secret") == []


def test_each_object_names_its_namespace() -> None:
    """With a `namespace:` of its own the kustomization would put the log agent beside the rest."""
    for document in objects():
        if document["kind"] not in {"Namespace", "ClusterRole", "ClusterRoleBinding"}:
            assert document["metadata"].get("namespace") in {"goods", "goods-logs"}, named(document)


def test_no_name_stands_twice() -> None:
    names = [named(document) for document in objects()]
    assert len(names) == len(set(names))


def test_what_terraform_reads_is_what_is_rendered() -> None:
    assert RENDERED.read_text(encoding="utf-8") == kustomized(), "run `make manifests`"


def test_the_pods_carry_the_hash_of_their_settings() -> None:
    """The settings are in a manifest, whose name gets no hash: without this nothing would be started anew."""
    hashed = hashlib.sha256((ROOT / "db_config.yml").read_bytes()).hexdigest()
    annotations = one("Deployment", "api")["spec"]["template"]["metadata"]["annotations"]
    assert annotations["goods-api/db-config-sha256"] == hashed, "run `make manifests`"


def _generated() -> dict[str, dict[str, Any]]:
    """The generated ConfigMaps, by their names without the hash."""
    maps = [document for document in objects("ConfigMap") if document["metadata"]["name"] != "db-config"]
    return {document["metadata"]["name"].rpartition("-")[0]: document for document in maps}


@pytest.mark.parametrize("name", SOURCES)
def test_a_generated_configmap_has_the_files_of_the_repository_byte_for_byte(name: str) -> None:
    files = sorted(ROOT.glob(SOURCES[name]))
    assert files, f"nothing is at {SOURCES[name]}"
    expected = {RENAMED.get(path.name, path.name): path.read_bytes() for path in files}
    data = _generated()[name]["data"]
    assert {key: text.encode() for key, text in data.items()} == expected


def test_there_is_no_other_generated_configmap() -> None:
    assert set(_generated()) == set(SOURCES)


def test_no_configmap_is_larger_than_kubernetes_takes() -> None:
    for document in objects("ConfigMap"):
        assert sum(len(key) + len(text.encode()) for key, text in document["data"].items()) < _MEBIBYTE, named(document)


def test_what_compose_mounts_of_the_monitoring_is_at_the_same_place_in_the_cluster() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    checked = 0
    for pod in workloads():
        there = dict(configured_files(pod))
        for path, file in _mounted(compose[pod.name].get("volumes", [])):
            if path.endswith("/scrape.d/compose.yml") or file.name == "promtail.yml":
                continue  # what there is to find differs
            assert there.get(path, "").encode() == file.read_bytes(), f"{pod.name}: {path}"
            checked += 1
    assert checked > 10


def _mounted(volumes: list[str]) -> list[tuple[str, Path]]:
    """Path in the container, and the file of the repository."""
    found = []
    for source, path in (volume.split(":")[:2] for volume in volumes if volume.startswith("./")):
        place = ROOT / source
        if place.is_file():
            found.append((path, place))
        else:
            found += [(f"{path}/{file.relative_to(place)}", file) for file in place.rglob("*") if file.is_file()]
    return [(path, file) for path, file in found if file.name != "db_config.yml"]


def test_each_image_has_a_fixed_tag_which_is_that_of_compose() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    tags = {pod.name: pod.main["image"] for pod in workloads()}
    for name, image in tags.items():
        assert ":" in image, name
        assert not image.endswith(":latest"), name
    shared = {name: compose[name]["image"] for name in tags if "image" in compose[name]}
    assert {name: tags[name] for name in shared} == shared
    assert len(shared) >= len(tags) - 1


def test_the_monitoring_is_started_as_in_compose() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    for name in ("prometheus", "alertmanager", "loki", "postgres-exporter"):
        assert set(workload(name).main["args"]) == set(compose[name]["command"]), name
    variables = {item["name"]: item["value"] for item in workload("grafana").main["env"]}
    assert compose["grafana"]["environment"].items() <= variables.items()


def test_the_examples_of_the_secrets_have_every_key_that_the_pods_ask_for() -> None:
    examples = {
        secret["metadata"]["name"]: set(secret["stringData"])
        for file in ("db_secrets_example.yml", "cluster_secrets_example.yml")
        for secret in yaml.safe_load_all((ROOT / file).read_text(encoding="utf-8"))
    }
    asked: dict[str, set[str]] = {}
    for pod in workloads():
        for volume in pod.pod.get("volumes", []):
            parts = [volume, *volume.get("projected", {}).get("sources", [])]
            for secret in (part["secret"] for part in parts if "secret" in part):
                if not secret.get("optional"):
                    name = secret.get("secretName") or secret["name"]
                    asked.setdefault(name, set()).update(item["key"] for item in secret.get("items", []))
    assert set(asked) == set(examples)
    for name, keys in asked.items():
        assert keys <= examples[name], name


def test_git_ignores_what_the_examples_are_copied_to() -> None:
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert {"db_secrets.yml", "cluster_secrets.yml"} <= set(ignored)
