"""A folder of one's own beside the checkout: another image, and a database that is elsewhere."""

import os

import pytest
import yaml

from tests.deploy.manifests import ROOT, Object, assert_valid, kustomized, loaded, named, objects


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> list[Object]:
    own = tmp_path_factory.mktemp("own")
    checkout = os.path.relpath(ROOT, own)
    folder = {
        "resources": [checkout],
        "components": [f"{checkout}/deploy/kubernetes/external-database"],
        "images": [{"name": "goods-api", "newName": "registry.example/goods-api", "newTag": "0.1.0"}],
    }
    (own / "kustomization.yaml").write_text(yaml.safe_dump(folder), encoding="utf-8")
    return loaded(kustomized(own))


def _of(rendered: list[Object], kind: str) -> dict[str, Object]:
    return {document["metadata"]["name"]: document for document in rendered if document["kind"] == kind}


def test_with_a_database_elsewhere_nothing_of_ours_is_left(rendered: list[Object]) -> None:
    names = {named(document) for document in rendered}
    assert not {name for name in names if name.rpartition("/")[2] in {"postgres", "postgres-data"}}
    assert len(names) == len(objects()) - 5


def test_what_is_left_is_valid(rendered: list[Object]) -> None:
    for document in rendered:
        assert_valid(document)


def test_the_api_the_exporter_and_the_policies_go_there(rendered: list[Object]) -> None:
    settings = _of(rendered, "ConfigMap")["db-config"]["data"]
    assert (settings["DB_HOST"], settings["DB_SSLMODE"]) == ("db.example", "require")
    exporter = _of(rendered, "Deployment")["postgres-exporter"]["spec"]["template"]["spec"]["containers"][0]
    variables = {item["name"]: item["value"] for item in exporter["env"]}
    assert variables["DATA_SOURCE_URI"] == "db.example:5432/goods?sslmode=require"
    for name in ("api", "postgres-exporter"):
        (rule,) = _of(rendered, "NetworkPolicy")[name]["spec"]["egress"]
        assert rule == {"to": [{"ipBlock": {"cidr": "192.0.2.10/32"}}], "ports": [{"protocol": "TCP", "port": 5432}]}


def test_the_pods_are_started_anew_with_the_other_settings(rendered: list[Object]) -> None:
    annotations = _of(rendered, "Deployment")["api"]["spec"]["template"]["metadata"]["annotations"]
    assert annotations["goods-api/db-config-sha256"] == "external-1"


def test_an_image_of_ones_own_is_everywhere(rendered: list[Object]) -> None:
    pods = [document["spec"]["template"]["spec"] for document in rendered if "template" in document.get("spec", {})]
    images = {one["image"] for pod in pods for one in (*pod.get("initContainers", []), *pod["containers"])}
    assert {image for image in images if "goods-api" in image} == {"registry.example/goods-api:0.1.0"}
