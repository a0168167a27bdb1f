"""What `kubectl kustomize .` renders, as the tests of the deployment look at it."""

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate.utils
import pytest
import yaml

ROOT = Path(__file__).parents[2]
RENDERED = ROOT / "terraform" / "rendered" / "manifests.yml"

Object = dict[str, Any]

# It would read and parse megabytes of definitions for each object.
kubernetes_validate.utils.schema_contents = cache(kubernetes_validate.utils.schema_contents)


def assert_valid(document: Object) -> None:
    """By the strict schema of the newest Kubernetes; raises kubernetes_validate.ValidationError."""
    kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)


def loaded(text: str) -> list[Object]:
    """The documents of a rendered text, which is so long that the loader in C is worth it."""
    return list(yaml.load_all(text, Loader=yaml.CSafeLoader))


@cache
def kubectl() -> str:
    """The program, or a skipped test where it cannot be had."""
    found = shutil.which("kubectl") or shutil.which("kubectl", path=ROOT / ".tools" / "bin")
    if found is None:
        pytest.skip("not run: there is no kubectl on this machine")
    return found


@cache
def kustomized(folder: Path = ROOT) -> str:
    """The text that `kubectl kustomize` writes."""
    done = subprocess.run([kubectl(), "kustomize", str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@cache
def _documents(folder: Path) -> tuple[Object, ...]:
    return tuple(loaded(kustomized(folder)))


def objects(kind: str | None = None, *, folder: Path = ROOT) -> list[Object]:
    """All objects, or those of a kind."""
    return [document for document in _documents(folder) if kind in (None, document["kind"])]


def one(kind: str, name: str, namespace: str | None = "goods") -> Object:
    """The one object of this name."""
    found = [
        document
        for document in objects(kind)
        if document["metadata"]["name"] == name and document["metadata"].get("namespace") == namespace
    ]
    assert len(found) == 1, f"{kind} {namespace}/{name}: {len(found)}"
    return found[0]


def named(document: Object) -> str:
    """Kind, namespace and name, for messages and ids."""
    metadata = document["metadata"]
    return "/".join(part for part in (document["kind"], metadata.get("namespace"), metadata["name"]) if part)


@dataclass(frozen=True)
class Workload:
    """What makes pods, and the pods that it makes."""

    kind: str
    name: str
    namespace: str
    spec: Object

    @property
    def pod(self) -> Object:
        """The pods' specification."""
        found: Object = self.spec["template"]["spec"]
        return found

    @property
    def labels(self) -> dict[str, str]:
        """The pods' labels."""
        found: dict[str, str] = self.spec["template"]["metadata"]["labels"]
        return found

    @property
    def containers(self) -> list[Object]:
        """All containers, those that come first included."""
        return [*self.pod.get("initContainers", []), *self.pod["containers"]]

    @property
    def main(self) -> Object:
        """The one container that stays."""
        (found,) = self.pod["containers"]
        return dict(found)

    def ports(self) -> dict[str, int]:
        """The ports of the container that stays, by name."""
        return {port["name"]: port["containerPort"] for port in self.main["ports"]}


def workloads() -> list[Workload]:
    """Everything that makes pods."""
    return [
        Workload(document["kind"], document["metadata"]["name"], document["metadata"]["namespace"], document["spec"])
        for kind in ("Deployment", "StatefulSet", "DaemonSet")
        for document in objects(kind)
    ]


def workload(name: str) -> Workload:
    """The one of this name."""
    (found,) = (one for one in workloads() if one.name == name)
    return found


def selected(selector: dict[str, str], namespace: str) -> list[Workload]:
    """The workloads whose pods have all these labels."""
    return [one for one in workloads() if one.namespace == namespace and selector.items() <= one.labels.items()]


def configured_files(pod: Workload) -> Iterator[tuple[str, str]]:
    """Path and content of each file that a ConfigMap puts into the container that stays."""
    sources = {
        volume["name"]: one("ConfigMap", volume["configMap"]["name"], pod.namespace)["data"]
        for volume in pod.pod.get("volumes", [])
        if "configMap" in volume
    }
    for mount in pod.main["volumeMounts"]:
        content = sources.get(mount["name"])
        if content is None:
            continue
        if "subPath" in mount:
            yield mount["mountPath"], content[mount["subPath"]]
        else:
            yield from ((f"{mount['mountPath']}/{key}", text) for key, text in content.items())
