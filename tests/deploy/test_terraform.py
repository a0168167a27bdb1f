"""What Terraform would apply is what kustomize renders, and nothing that it destroys holds data."""

import json
import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.manifests import RENDERED, ROOT, named, objects

pytestmark = pytest.mark.slow
MODULE = RENDERED.parent
_FILES = (ROOT / "main.tf", MODULE / "main.tf", MODULE / "tests" / "rendered.tftest.hcl")


def terraform(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run Terraform (or OpenTofu), or skip the test where there is neither. The machine's own settings are left out."""
    program = shutil.which("terraform") or shutil.which("tofu")
    if program is None:
        pytest.skip("not run: there is no terraform on this machine")
    variables = {**os.environ, "TF_CLI_CONFIG_FILE": os.devnull, "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"}
    return subprocess.run(
        [program, f"-chdir={folder}", *arguments], capture_output=True, text=True, check=False, env=variables
    )


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the module, initialised: nothing is left in the repository."""
    copy = tmp_path_factory.mktemp("terraform") / "rendered"
    shutil.copytree(MODULE, copy, ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*"))
    done = terraform("init", "-input=false", "-no-color", folder=copy)
    assert done.returncode == 0, done.stderr
    return copy


def test_the_files_have_terraforms_own_format() -> None:
    for file in _FILES:
        done = terraform("fmt", "-check", "-diff", str(file), folder=ROOT)
        assert done.returncode == 0, f"{file.name}\n{done.stdout}{done.stderr}"


def test_the_modules_own_tests_pass(module: Path) -> None:
    done = terraform("test", "-no-color", folder=module)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"Success! [1-9]\d* passed, 0 failed", done.stdout)


def _applied(module: Path, **variables: str) -> dict[str, Any]:
    """The outputs of the module: it has no resource, so to apply it computes them and does nothing."""
    arguments = [f"-var={name}={value}" for name, value in variables.items()]
    done = terraform("apply", "-auto-approve", "-input=false", "-no-color", *arguments, folder=module)
    assert done.returncode == 0, done.stderr
    done = terraform("output", "-json", folder=module)
    return {name: output["value"] for name, output in json.loads(done.stdout).items()}


def test_what_terraform_applies_is_what_kustomize_renders(module: Path) -> None:
    outputs = _applied(module, manifests=str(RENDERED))
    applied = {**outputs["namespaces"], **outputs["volumes"], **outputs["rest"]}
    assert applied == {named(document): document for document in objects()}


def test_with_an_image_of_ones_own_nothing_else_differs(module: Path) -> None:
    mine = "registry.example/team/goods-api@sha256:" + "0123456789abcdef" * 4
    outputs = _applied(module, manifests=str(RENDERED), images=json.dumps({"goods-api:0.1.0": mine}))
    applied = {**outputs["namespaces"], **outputs["volumes"], **outputs["rest"]}
    expected = json.dumps({named(document): document for document in objects()}, sort_keys=True)
    assert expected.count('"image": "goods-api:0.1.0"') == 4
    assert json.dumps(applied, sort_keys=True) == expected.replace('"image": "goods-api:0.1.0"', f'"image": "{mine}"')


@cache
def _main() -> str:
    return (ROOT / "main.tf").read_text(encoding="utf-8")


def _block(kind: str, *names: str) -> str:
    """The text of a block at the top of main.tf."""
    head = " ".join([kind, *(f'"{name}"' for name in names)])
    found = re.search(rf"^{re.escape(head)} {{\n(.*?)^}}", _main(), re.MULTILINE | re.DOTALL)
    assert found, head
    return found[1]


def test_all_that_the_module_gives_is_applied() -> None:
    outputs = set(re.findall(r'^output "(\w+)"', (MODULE / "main.tf").read_text(encoding="utf-8"), re.MULTILINE))
    assert outputs == {"namespaces", "volumes", "rest", "addresses", "count"}
    for resource, output in (("namespace", "namespaces"), ("volume", "volumes"), ("rest", "rest")):
        block = _block("resource", "kubernetes_manifest", resource)
        assert re.search(rf"^  for_each = module\.rendered\.{output}$", block, re.MULTILINE)
        assert re.search(r"^  manifest = each\.value$", block, re.MULTILINE)


def test_what_holds_data_is_protected_from_destroy() -> None:
    for resource in ("namespace", "volume"):
        assert "prevent_destroy = true" in _block("resource", "kubernetes_manifest", resource)


def test_namespaces_come_first_and_the_rest_last() -> None:
    needed = {
        name: set(re.findall(r"(kubernetes_\w+\.\w+)", _block("resource", *name.split(".")).partition("depends_on")[2]))
        for name in (
            "kubernetes_manifest.namespace",
            "kubernetes_secret_v1.secret",
            "kubernetes_manifest.volume",
            "kubernetes_manifest.rest",
        )
    }
    assert needed == {
        "kubernetes_manifest.namespace": set(),
        "kubernetes_secret_v1.secret": {"kubernetes_manifest.namespace"},
        "kubernetes_manifest.volume": {"kubernetes_manifest.namespace"},
        "kubernetes_manifest.rest": {"kubernetes_manifest.volume", "kubernetes_secret_v1.secret"},
    }


def test_secrets_are_in_no_state() -> None:
    secret = _block("resource", "kubernetes_secret_v1", "secret")
    assert re.search(r"^  data_wo +=", secret, re.MULTILINE)
    assert re.search(r"^  data_wo_revision += var\.secrets_revision$", secret, re.MULTILINE)
    assert not re.search(r"^  data +=", secret, re.MULTILINE)
    given = set(re.findall(r"= var\.(\w+)", _block("locals")))
    assert given >= {"db_password", "db_owner_password", "db_monitor_password", "postgres_password"}
    for name in given:
        assert "ephemeral   = true" in _block("variable", name), name
        assert "sensitive   = true" in _block("variable", name), name


def test_the_secrets_have_the_names_and_keys_of_the_examples() -> None:
    text = _block("locals")
    for file in ("db_secrets_example.yml", "cluster_secrets_example.yml"):
        for example in yaml.safe_load_all((ROOT / file).read_text(encoding="utf-8")):
            name = example["metadata"]["name"]
            keys = re.search(rf"^    {name} += {{(.*?)}}", text, re.MULTILINE | re.DOTALL)
            assert keys, name
            assert set(re.findall(r"(\w+) +=", keys[1])) == set(example["stringData"]), name
            assert f'"{name}"' in _block("resource", "kubernetes_secret_v1", "secret")
