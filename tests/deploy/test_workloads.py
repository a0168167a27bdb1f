"""What every pod has: the strictest Pod Security, bounds, probes, and ends that lose nothing."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from app.config.conf import Settings, load_settings
from tests.deploy.manifests import Workload, named, objects, one, workload, workloads

_POD_SECURITY = "pod-security.kubernetes.io/enforce"
# What may keep its data on one node at a time.
_WITH_VOLUME = {"postgres", "prometheus", "alertmanager", "loki", "grafana"}
# Who speaks to the Kubernetes API, and so has a token.
_WITH_TOKEN = {"prometheus", "promtail"}
_RESTRICTED_VOLUMES = {"configMap", "emptyDir", "persistentVolumeClaim", "projected", "secret"}
_CANONICAL = {
    "cpu": re.compile(r"[1-9]\d*|[1-9]\d{0,2}m"),
    "memory": re.compile(r"[1-9]\d{0,3}(Ki|Mi|Gi)"),
    "ephemeral-storage": re.compile(r"[1-9]\d{0,3}(Ki|Mi|Gi)"),
    "storage": re.compile(r"[1-9]\d{0,3}(Mi|Gi|Ti)"),
}


def _pods() -> Iterator[Any]:
    return (pytest.param(name, id=name) for name in sorted(_WITH_VOLUME | _WITH_TOKEN | {"api", "postgres-exporter"}))


@pytest.fixture(params=list(_pods()))
def pod(request: pytest.FixtureRequest) -> Workload:
    return workload(request.param)


def test_these_are_all_workloads() -> None:
    assert {one.name for one in workloads()} == _WITH_VOLUME | _WITH_TOKEN | {"api", "postgres-exporter"}


def test_everything_but_the_log_agent_is_in_a_restricted_namespace() -> None:
    levels = {one["metadata"]["name"]: one["metadata"]["labels"][_POD_SECURITY] for one in objects("Namespace")}
    assert levels == {"goods": "restricted", "goods-logs": "privileged"}
    assert [one.name for one in workloads() if one.namespace != "goods"] == ["promtail"]


def test_the_pods_are_what_the_restricted_level_lets_in(pod: Workload) -> None:
    if pod.name == "promtail":
        return  # it has a namespace of its own, and the next test
    security = pod.pod["securityContext"]
    assert security["runAsNonRoot"] is True
    assert security["runAsUser"] > 0
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    for volume in pod.pod.get("volumes", []):
        assert set(volume) - {"name"} <= _RESTRICTED_VOLUMES, volume["name"]
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod.pod)


def test_the_log_agent_has_of_the_node_what_it_reads_and_a_folder_for_its_place() -> None:
    agent = workload("promtail")
    paths = {volume["name"]: volume["hostPath"]["path"] for volume in agent.pod["volumes"] if "hostPath" in volume}
    writable = {mount["name"] for mount in agent.main["volumeMounts"] if not mount.get("readOnly")}
    assert paths == {"logs": "/var/log/pods", "positions": "/var/lib/goods-promtail"}
    assert writable & set(paths) == {"positions"}


def test_no_container_can_gain_rights_or_write_to_its_root(pod: Workload) -> None:
    for container in pod.containers:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, container["name"]


def test_what_each_container_may_use_is_bounded_and_asked_for(pod: Workload) -> None:
    for container in pod.containers:
        requests, limits = container["resources"]["requests"], container["resources"]["limits"]
        assert set(requests) == set(limits) == {"cpu", "memory", "ephemeral-storage"}, container["name"]
        for name, amount in (*requests.items(), *limits.items()):
            assert _CANONICAL[name].fullmatch(str(amount)), f"{container['name']}: {amount} is written another way"


def test_volumes_are_sized_canonically() -> None:
    claims = [one["spec"] for one in objects("PersistentVolumeClaim")]
    claims += [claim["spec"] for one in objects("StatefulSet") for claim in one["spec"].get("volumeClaimTemplates", [])]
    assert len(claims) == len(_WITH_VOLUME)
    for claim in claims:
        assert _CANONICAL["storage"].fullmatch(claim["resources"]["requests"]["storage"])


def test_no_service_gets_into_the_environment(pod: Workload) -> None:
    """A Service named `api` would set API_PORT to tcp://..., and the API would not start."""
    assert pod.pod["enableServiceLinks"] is False


def test_each_has_an_account_of_its_own_and_a_token_only_where_it_is_used(pod: Workload) -> None:
    assert pod.pod["serviceAccountName"] == pod.name
    assert one("ServiceAccount", pod.name, pod.namespace)["automountServiceAccountToken"] is False
    assert pod.pod["automountServiceAccountToken"] is (pod.name in _WITH_TOKEN)


def test_rights_at_the_kubernetes_api_are_to_look_only() -> None:
    roles = [*objects("Role"), *objects("ClusterRole")]
    rules = {(role["kind"], tuple(rule["resources"])): set(rule["verbs"]) for role in roles for rule in role["rules"]}
    assert rules == {
        ("ClusterRole", ("nodes",)): {"get", "list", "watch"},
        ("ClusterRole", ("nodes/metrics",)): {"get"},
        ("Role", ("pods",)): {"get", "list", "watch"},
    }
    bound = [*objects("RoleBinding"), *objects("ClusterRoleBinding")]
    for binding in bound:
        assert binding["roleRef"]["name"] in {role["metadata"]["name"] for role in roles}
    assert {subject["name"] for binding in bound for subject in binding["subjects"]} == _WITH_TOKEN


def test_each_container_that_stays_has_three_probes(pod: Workload) -> None:
    assert {"startupProbe", "livenessProbe", "readinessProbe"} <= set(pod.main)
    for name in ("startupProbe", "livenessProbe", "readinessProbe"):
        port = pod.main[name].get("httpGet", pod.main[name].get("tcpSocket", {})).get("port")
        assert port is None or port in pod.ports(), name


def test_liveness_never_asks_the_database_and_readiness_does() -> None:
    api = workload("api").main
    assert api["startupProbe"]["httpGet"]["path"] == "/livez"
    assert api["livenessProbe"]["httpGet"]["path"] == "/livez"
    assert api["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert api["readinessProbe"]["timeoutSeconds"] > Settings().connect_timeout


def test_a_recovering_database_is_not_killed() -> None:
    """pg_isready fails while the server recovers: as liveness it would make a crash endless."""
    postgres = workload("postgres").main
    assert "exec" not in postgres["livenessProbe"]
    assert postgres["startupProbe"]["failureThreshold"] * postgres["startupProbe"]["periodSeconds"] >= 1800


def test_a_rollout_takes_no_pod_away_before_another_is_there(pod: Workload) -> None:
    if pod.kind == "Deployment":
        assert pod.spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}


def test_what_has_a_volume_is_never_there_twice(pod: Workload) -> None:
    assert (pod.kind == "StatefulSet") is (pod.name in _WITH_VOLUME)
    if pod.kind == "StatefulSet":
        assert pod.spec["replicas"] == 1


def test_the_ends_of_the_api_nest() -> None:
    api = workload("api")
    settings = _settings(api.main)
    pre_stop = api.main["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pre_stop >= 5
    assert settings.shutdown_delay > 0
    whole = pre_stop + settings.shutdown_delay + settings.shutdown_timeout + 5
    assert whole < api.pod["terminationGracePeriodSeconds"]


def test_the_api_starts_with_the_settings_of_its_containers() -> None:
    """Also those that migrate: the image listens on all addresses, so they too must say who may do what."""
    api = workload("api")
    for container in api.containers:
        settings = _settings(container)
        assert settings.db_host == "postgres"
        assert settings.auth == "writes"
        assert settings.api_workers == 1
        assert settings.log_format == "json"
    assert [_settings(container).db_user for container in api.containers] == ["goods_owner", "goods", "goods"]


def _settings(container: dict[str, Any]) -> Settings:
    """What the program makes of a container's environment; the image says API_HOST."""
    given = one("ConfigMap", "db-config")["data"] | {item["name"]: item["value"] for item in container["env"]}
    assert given.pop("DB_PASSWORD_FILE").startswith("/run/secrets/")
    return load_settings({"API_HOST": "0.0.0.0", **given})  # noqa: S104 - as the image does


def test_each_step_before_the_api_has_only_the_password_of_its_role() -> None:
    api = workload("api")
    volumes = {volume["name"]: volume for volume in api.pod["volumes"]}
    held = {
        container["name"]: {
            item["path"]
            for mount in container["volumeMounts"]
            for item in volumes[mount["name"]].get("secret", {}).get("items", [])
        }
        for container in api.containers
    }
    assert held == {"migrate": {"db_owner_password"}, "deadlines": {"db_password"}, "api": {"db_password"}}


def test_migration_comes_first_as_the_owner() -> None:
    first, second = workload("api").pod["initContainers"]
    assert first["command"] == second["command"] == ["goods", "migrate"]
    assert workload("api").main["command"] == ["goods", "serve"]


def test_the_pods_of_the_api_are_spread() -> None:
    spread = workload("api").pod["topologySpreadConstraints"]
    assert [one["topologyKey"] for one in spread] == ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]
    for constraint in spread:
        assert constraint["labelSelector"]["matchLabels"].items() <= workload("api").labels.items()


def test_a_drained_node_takes_one_pod_of_the_api_at_a_time_and_is_held_up_by_nothing() -> None:
    (budget,) = objects("PodDisruptionBudget")
    assert budget["spec"]["maxUnavailable"] == 1
    assert budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
    assert budget["spec"]["selector"]["matchLabels"] == one("Deployment", "api")["spec"]["selector"]["matchLabels"]


def test_the_autoscaler_has_the_number_of_pods_to_itself() -> None:
    (scaler,) = objects("HorizontalPodAutoscaler")
    assert scaler["spec"]["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "api"}
    assert scaler["spec"]["minReplicas"] >= 2
    assert "replicas" not in one("Deployment", "api")["spec"]


def test_selectors_have_no_label_that_kustomize_adds() -> None:
    """They can't be changed once they are there."""
    for document in objects():
        selector = document.get("spec", {}).get("selector")
        if isinstance(selector, dict):
            assert "app.kubernetes.io/part-of" not in str(selector), named(document)


def test_every_object_and_pod_is_labelled_as_a_part_of_this() -> None:
    for document in objects():
        assert document["metadata"]["labels"]["app.kubernetes.io/part-of"] == "goods-api", named(document)
    for pod in workloads():
        assert pod.labels["app.kubernetes.io/part-of"] == "goods-api"


def test_files_on_temporary_disks_are_bounded(pod: Workload) -> None:
    for volume in pod.pod.get("volumes", []):
        if "emptyDir" in volume:
            assert "sizeLimit" in volume["emptyDir"], volume["name"]


def test_grafana_neither_writes_plugins_nor_notifies() -> None:
    variables = {item["name"]: item["value"] for item in workload("grafana").main["env"]}
    assert variables["GF_PLUGINS_PREINSTALL_DISABLED"] == "true"
    assert variables["GF_PLUGINS_PREINSTALL_AUTO_UPDATE"] == "false"
    assert variables["GF_UNIFIED_ALERTING_EXECUTE_ALERTS"] == "false"


def test_the_statistics_that_the_exporter_reads_are_there() -> None:
    assert "shared_preload_libraries=pg_stat_statements" in workload("postgres").main["args"]
    flags = workload("postgres-exporter").main["args"]
    assert {"--collector.stat_statements", "--collector.stat_checkpointer"} <= set(flags)
    assert "--collector.long_running_transactions" in flags
