"""Who may speak with whom: every connection that is needed, and among our own pods no other."""

from tests.deploy.manifests import objects, selected, workloads
from tests.deploy.policies import End, allowed, pods

# All connections between our pods. Whoever adds one adds it here and in network_policies.yml.
NEEDED = {
    ("api", "postgres", 5432),
    ("postgres-exporter", "postgres", 5432),
    ("prometheus", "api", 8000),
    ("prometheus", "postgres-exporter", 9187),
    ("prometheus", "alertmanager", 9093),
    ("prometheus", "loki", 3100),
    ("prometheus", "grafana", 3000),
    ("prometheus", "promtail", 12345),
    ("loki", "alertmanager", 9093),
    ("promtail", "loki", 3100),
    ("grafana", "prometheus", 9090),
    ("grafana", "loki", 3100),
    ("grafana", "alertmanager", 9093),
}
_ANYBODY = End("a client", address="203.0.113.7")
_INSIDE = End("another pod", namespace="shop", labels={"app.kubernetes.io/name": "api"}, address="10.244.3.9")
_GATEWAY = End("a gateway", namespace="gateway", labels={}, address="10.244.0.4")
_DNS = End("the cluster's DNS", namespace="kube-system", labels={"k8s-app": "kube-dns"}, address="10.244.0.2")
_NODE_LOCAL = End("the node's DNS cache", address="169.254.20.10")
_KUBERNETES = End("the Kubernetes API", address="10.96.0.1")
_KUBELET = End("a kubelet", address="192.168.1.20")
_METADATA = End("the cloud's metadata", address="169.254.169.254")
_OUTSIDE = [End("Slack", address="198.51.100.4"), End("Slack by IPv6", address="2001:db8::4")]
_PRIVATE = [
    End("a private network", address=address) for address in ("10.1.2.3", "172.20.0.5", "192.168.7.7", "fd00::5")
]


def test_between_our_pods_there_is_every_needed_connection_and_no_other() -> None:
    ends = pods()
    ports = {port for pod in workloads() for port in pod.ports().values()} | {22, 53, 80, 443}
    possible = {
        (source, target, port)
        for source in ends
        for target in ends
        for port in ports
        if source != target and allowed(ends[source], ends[target], port)
    }
    # What may go to the Kubernetes API, whose address no selector names, may go to those ports of a pod too; but no pod
    # lets it in there.
    assert possible == NEEDED


def test_every_pod_can_ask_for_names_of_the_clusters_dns_alone() -> None:
    for name, pod in pods().items():
        for server in (_DNS, _NODE_LOCAL):
            for protocol in ("UDP", "TCP"):
                assert allowed(pod, server, 53, protocol), f"{name}: {server.name} by {protocol}"
        assert not allowed(pod, _ANYBODY, 53, "UDP"), f"{name}: a DNS server outside is a way out"


def test_from_outside_only_the_api_can_be_reached() -> None:
    for source in (_ANYBODY, _INSIDE, _GATEWAY):
        reached = {
            (pod.name, port) for pod in workloads() for port in pod.ports().values()
            if allowed(source, pods()[pod.name], port)
        }  # fmt: skip
        assert reached == {("api", 8000)}, source.name


def test_only_who_discovers_reaches_the_kubernetes_api_and_only_prometheus_the_kubelets() -> None:
    ends = pods()
    assert {name for name in ends if allowed(ends[name], _KUBERNETES, 443)} == {"prometheus", "promtail"}
    assert {name for name in ends if allowed(ends[name], _KUBERNETES, 6443)} == {"prometheus", "promtail"}
    assert {name for name in ends if allowed(ends[name], _KUBELET, 10250)} == {"prometheus"}


def test_alertmanager_reaches_who_is_told_and_nothing_private() -> None:
    alertmanager = pods()["alertmanager"]
    for server in _OUTSIDE:
        assert all(allowed(alertmanager, server, port) for port in (443, 465, 587)), server.name
        assert not allowed(alertmanager, server, 25)
    for server in (*_PRIVATE, _METADATA):
        assert not allowed(alertmanager, server, 443), server.address


def test_nobody_else_gets_out_and_nobody_reaches_the_clouds_metadata() -> None:
    ends = pods()
    for name in set(ends) - {"alertmanager", "prometheus", "promtail"}:
        for port in (80, 443, 5432, 8080):
            assert not allowed(ends[name], _OUTSIDE[0], port), name
    for name in ends:
        assert not allowed(ends[name], _METADATA, 80), name


def test_in_each_namespace_nothing_is_allowed_by_default() -> None:
    denied = {
        policy["metadata"]["namespace"]
        for policy in objects("NetworkPolicy")
        if policy["spec"]["podSelector"] == {}
        and set(policy["spec"]["policyTypes"]) == {"Ingress", "Egress"}
        and not {"ingress", "egress"} & set(policy["spec"])
    }
    assert denied == {namespace["metadata"]["name"] for namespace in objects("Namespace")}


def test_every_policy_selects_something() -> None:
    for policy in objects("NetworkPolicy"):
        labels = policy["spec"]["podSelector"].get("matchLabels", {})
        assert selected(labels, policy["metadata"]["namespace"]), policy["metadata"]["name"]


def test_the_evaluator_denies_what_one_end_denies() -> None:
    """The API lets everybody in; a pod that may not go there still can't."""
    ends = pods()
    assert allowed(_ANYBODY, ends["api"], 8000)
    assert not allowed(ends["loki"], ends["api"], 8000)
    assert not allowed(ends["prometheus"], ends["postgres"], 5432)
