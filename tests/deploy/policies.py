"""What the network policies let through, as Kubernetes defines it: a connection needs the leave of both its ends."""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.deploy.manifests import objects, workloads


@dataclass(frozen=True)
class End:
    """One end of a connection: a pod of a namespace, or an address outside the cluster."""

    name: str
    namespace: str | None = None
    labels: dict[str, str] = field(default_factory=dict)
    address: str | None = None


def pods() -> dict[str, End]:
    """Our pods, by the names of their workloads."""
    return {pod.name: End(pod.name, pod.namespace, pod.labels) for pod in workloads()}


def allowed(source: End, target: End, port: int, protocol: str = "TCP") -> bool:
    """Whether a connection comes about."""
    return _direction("Egress", source, target, port, protocol) and _direction(
        "Ingress", target, source, port, protocol
    )


def _direction(direction: str, ours: End, other: End, port: int, protocol: str) -> bool:
    policies = [policy for policy in _selecting(ours) if direction in policy["policyTypes"]]
    if not policies:
        return True  # nothing isolates this end
    rules = [rule for policy in policies for rule in policy.get(direction.lower(), [])]
    peers = "to" if direction == "Egress" else "from"
    return any(
        _port_matches(rule.get("ports"), port, protocol) and _peer_matches(rule.get(peers), other, ours.namespace)
        for rule in rules
    )


def _selecting(end: End) -> list[dict[str, Any]]:
    return [
        policy["spec"]
        for policy in objects("NetworkPolicy")
        if policy["metadata"]["namespace"] == end.namespace and _labels_match(policy["spec"]["podSelector"], end.labels)
    ]


def _labels_match(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    assert set(selector) <= {"matchLabels"}, "the evaluator knows no expressions"
    return bool(selector.get("matchLabels", {}).items() <= labels.items())


def _port_matches(ports: Iterable[dict[str, Any]] | None, port: int, protocol: str) -> bool:
    return ports is None or any(one["port"] == port and one.get("protocol", "TCP") == protocol for one in ports)


def _peer_matches(peers: list[dict[str, Any]] | None, end: End, namespace: str | None) -> bool:
    """No peers at all means everybody."""
    return peers is None or any(_is_peer(peer, end, namespace) for peer in peers)


def _is_peer(peer: dict[str, Any], end: End, namespace: str | None) -> bool:
    if "ipBlock" in peer:
        return end.address is not None and _in_block(peer["ipBlock"], end.address)
    if end.namespace is None:
        return False
    if "namespaceSelector" not in peer:
        inside = end.namespace == namespace
    else:
        inside = _labels_match(peer["namespaceSelector"], {"kubernetes.io/metadata.name": end.namespace})
    return inside and _labels_match(peer.get("podSelector", {}), end.labels)


def _in_block(block: dict[str, Any], address: str) -> bool:
    where = ipaddress.ip_address(address)

    def within(network: str) -> bool:
        return where in ipaddress.ip_network(network)

    return within(block["cidr"]) and not any(within(network) for network in block.get("except", []))
