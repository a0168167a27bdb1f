"""Names and ports, which stand in many files, are the same in all of them."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import yaml

from tests.deploy.manifests import ROOT, Object, Workload, configured_files, objects, one, selected, workload, workloads
from tests.deploy.policies import allowed, pods


def _service(host: str, namespace: str) -> Object:
    """The Service that a host name means to a pod of the namespace; an alias is followed."""
    name, _, rest = host.partition(".")
    service = one("Service", name, rest.split(".")[0] if rest else namespace)
    if service["spec"].get("type") == "ExternalName":
        return _service(service["spec"]["externalName"].removesuffix(".svc.cluster.local"), namespace)
    return service


def _assert_reaches(source: str, host: str, port: int) -> None:
    """By name and port of a Service, through the policies, to a port that a container opens."""
    pod = workload(source)
    service = _service(host, pod.namespace)
    (target,) = selected(service["spec"]["selector"], service["metadata"]["namespace"])
    if service["spec"].get("clusterIP") == "None":
        inside = port  # there is nothing between that would change it
    else:
        (inside,) = (target.ports()[entry["targetPort"]] for entry in service["spec"]["ports"] if entry["port"] == port)
    assert inside in target.ports().values(), f"{source} -> {host}:{port}"
    assert allowed(pods()[source], pods()[target.name], inside), f"{source} -> {host}:{port}"


def _file(source: str, ending: str) -> Object:
    (text,) = (text for path, text in configured_files(workload(source)) if path.endswith(ending))
    found: Object = yaml.safe_load(text)
    return found


def test_services_select_pods_and_name_ports_that_they_open() -> None:
    for service in objects("Service"):
        if service["spec"].get("type") == "ExternalName":
            continue
        (target,) = selected(service["spec"]["selector"], service["metadata"]["namespace"])
        for port in service["spec"]["ports"]:
            assert target.ports()[port["targetPort"]] == port["port"], service["metadata"]["name"]


def test_prometheus_finds_what_it_scrapes_and_whom_it_tells() -> None:
    configuration = _file("prometheus", "/prometheus.yml")
    looked_up = [
        (name, lookup["port"])
        for part in (*configuration["scrape_configs"], *configuration["alerting"]["alertmanagers"])
        for lookup in part.get("dns_sd_configs", [])
        for name in lookup["names"]
    ]
    assert len(looked_up) >= 7
    for name, port in looked_up:
        _assert_reaches("prometheus", name, port)


def test_every_replica_of_the_api_is_a_target_ready_or_not() -> None:
    service = one("Service", "api-pods")["spec"]
    assert service["clusterIP"] == "None"
    assert service["publishNotReadyAddresses"] is True


def test_prometheus_reads_its_rules_and_what_differs_in_a_cluster() -> None:
    configuration = _file("prometheus", "/prometheus.yml")
    folders = {path.rpartition("/")[0] for path, _ in configured_files(workload("prometheus"))}
    assert configuration["rule_files"] == ["rules/*.yml"]
    assert configuration["scrape_config_files"] == ["scrape.d/*.yml"]
    assert folders == {"/etc/prometheus", "/etc/prometheus/rules", "/etc/prometheus/scrape.d"}


def test_grafana_reaches_its_data_sources() -> None:
    for source in _file("grafana", "/datasources.yml")["datasources"]:
        url = urlsplit(source["url"])
        assert url.hostname is not None
        _assert_reaches("grafana", url.hostname, url.port or 80)


def test_grafana_finds_the_dashboards_where_it_looks() -> None:
    (provider,) = _file("grafana", "/provisioning/dashboards/dashboards.yml")["providers"]
    boards = [path for path, _ in configured_files(workload("grafana")) if path.startswith(provider["options"]["path"])]
    assert len(boards) == len(list((ROOT / "monitoring" / "grafana" / "dashboards").glob("*.json")))
    assert boards


def test_lokis_ruler_reaches_alertmanager_and_finds_its_rules() -> None:
    ruler = _file("loki", "/loki.yml")["ruler"]
    url = urlsplit(ruler["alertmanager_url"])
    assert url.hostname is not None
    _assert_reaches("loki", url.hostname, url.port or 80)
    tenant = ruler["storage"]["local"]["directory"] + "/fake"
    assert any(path.startswith(tenant) for path, _ in configured_files(workload("loki")))


def test_the_log_agent_reaches_loki_and_may_see_the_pods_that_it_looks_for() -> None:
    configuration = _file("promtail", "/promtail.yml")
    (client,) = configuration["clients"]
    url = urlsplit(client["url"])
    assert url.hostname is not None
    _assert_reaches("promtail", url.hostname, url.port or 80)
    looked_at = {
        name
        for scrape in configuration["scrape_configs"]
        for discovery in scrape["kubernetes_sd_configs"]
        for name in discovery["namespaces"]["names"]
    }
    bound = {binding["metadata"]["namespace"] for binding in objects("RoleBinding")}
    assert looked_at == bound == {"goods", "goods-logs"}


def test_the_log_agent_labels_by_what_is_on_the_pods() -> None:
    configuration = (ROOT / "monitoring" / "promtail" / "promtail.kubernetes.yml").read_text(encoding="utf-8")
    assert "__meta_kubernetes_pod_label_app_kubernetes_io_name" in configuration
    for pod in workloads():
        assert pod.labels["app.kubernetes.io/name"] == pod.name


def test_api_and_exporter_reach_the_database() -> None:
    settings = one("ConfigMap", "db-config")["data"]
    _assert_reaches("api", settings["DB_HOST"], int(settings["DB_PORT"]))
    variables = {item["name"]: item["value"] for item in workload("postgres-exporter").main["env"]}
    address, database = re.split(r"[/?]", variables["DATA_SOURCE_URI"])[:2]
    host, port = address.split(":")
    _assert_reaches("postgres-exporter", host, int(port))
    assert database == settings["DB_NAME"]


def test_the_database_makes_the_roles_and_the_database_that_are_asked_for() -> None:
    script = (ROOT / "deploy" / "postgres" / "roles.sh").read_text(encoding="utf-8")
    settings = one("ConfigMap", "db-config")["data"]
    exporter = {item["name"]: item["value"] for item in workload("postgres-exporter").main["env"]}
    owner = {item["name"]: item["value"] for item in workload("api").containers[0]["env"]}
    for role in (settings["DB_USER"], exporter["DATA_SOURCE_USER"], owner["DB_USER"]):
        assert re.search(rf"CREATE ROLE {role}\b", script), role
    server = {item["name"]: item["value"] for item in workload("postgres").main["env"]}
    assert server["POSTGRES_DB"] == settings["DB_NAME"]


def test_the_password_files_are_where_the_programs_look() -> None:
    script = (ROOT / "deploy" / "postgres" / "roles.sh").read_text(encoding="utf-8")
    asked = set(re.findall(r"/run/secrets/\w+", script)) | {"/run/secrets/postgres_password"}
    assert _secret_files(workload("postgres")) == asked
    for pod in workloads():
        for variable in pod.main.get("env", []):
            if variable["name"].endswith("_FILE"):
                assert variable["value"] in _secret_files(pod), f"{pod.name}: {variable['name']}"


def _secret_files(pod: Workload) -> set[str]:
    """Paths of the secrets in the container that stays."""
    mounts = {mount["name"]: mount["mountPath"] for mount in pod.main["volumeMounts"]}
    found = set()
    for volume in pod.pod.get("volumes", []):
        parts = [volume, *volume.get("projected", {}).get("sources", [])]
        for secret in (part["secret"] for part in parts if "secret" in part and volume["name"] in mounts):
            found |= {f"{mounts[volume['name']]}/{item['path']}" for item in secret.get("items", [])}
    return found


def test_alertmanagers_file_is_written_where_it_is_read() -> None:
    pod = workload("alertmanager")
    (writer,) = pod.pod["initContainers"]
    written = writer["command"][writer["command"].index("--output") + 1]
    assert f"--config.file={written}" in pod.main["args"]
    volumes = {volume["name"]: volume for volume in pod.pod["volumes"]}
    assert volumes["secrets"]["secret"]["optional"] is True
    places = [
        {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]} for container in (writer, pod.main)
    ]
    assert {places[0][key] == places[1][key] for key in ("secrets", "config")} == {True}
    assert places[0]["secrets"] == "/run/secrets"
    assert places[1]["templates"] == "/etc/alertmanager-templates"


def test_every_claim_account_and_configmap_that_a_pod_names_is_there() -> None:
    for pod in workloads():
        for volume in _volumes(pod):
            if "persistentVolumeClaim" in volume:
                one("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"], pod.namespace)
            if "configMap" in volume:
                one("ConfigMap", volume["configMap"]["name"], pod.namespace)
        for container in pod.containers:
            for source in container.get("envFrom", []):
                one("ConfigMap", source["configMapRef"]["name"], pod.namespace)


def test_every_mount_has_its_volume() -> None:
    for pod in workloads():
        claims = {claim["metadata"]["name"] for claim in pod.spec.get("volumeClaimTemplates", [])}
        volumes = {volume["name"] for volume in _volumes(pod)} | claims
        mounted = {mount["name"] for container in pod.containers for mount in container["volumeMounts"]}
        assert mounted == volumes, pod.name


def _volumes(pod: Workload) -> Iterator[Object]:
    yield from pod.pod.get("volumes", [])
