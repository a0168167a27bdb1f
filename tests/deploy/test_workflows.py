"""The workflows of GitHub: what they may do, what they run, and what a release consists of."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.manifests import ROOT

_FOLDER = ROOT / ".github" / "workflows"
_PINNED = re.compile(r"^\s*(?:- )?uses: [\w.-]+/[\w.-]+(?:/[\w.-]+)*@[0-9a-f]{40} # v\d+\.\d+\.\d+$")
FILES = sorted(_FOLDER.glob("*.yml"))


@pytest.fixture(params=FILES, ids=lambda path: path.name)
def file(request: pytest.FixtureRequest) -> Path:
    return Path(request.param)


def _workflow(file: Path) -> dict[Any, Any]:
    found: dict[Any, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return found


def _steps(file: Path) -> list[dict[str, Any]]:
    return [step for job in _workflow(file)["jobs"].values() for step in job["steps"]]


def test_there_is_a_workflow_for_changes_and_one_for_releases() -> None:
    assert [path.name for path in FILES] == ["ci.yml", "release.yml"]


def test_every_action_is_pinned_by_its_digest_and_says_its_version(file: Path) -> None:
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if "uses:" in line]
    assert lines
    for line in lines:
        assert _PINNED.match(line), line


def test_one_action_has_one_digest() -> None:
    digests: dict[str, set[str]] = {}
    for file in FILES:
        for step in _steps(file):
            if "uses" in step:
                action, digest = step["uses"].split("@")
                digests.setdefault(action, set()).add(digest)
    assert [action for action, found in digests.items() if len(found) > 1] == []


def test_a_job_may_do_nothing_but_what_it_says_and_not_for_ever(file: Path) -> None:
    workflow = _workflow(file)
    assert workflow["permissions"] == {}
    for job in workflow["jobs"].values():
        assert job["permissions"]
        assert job["timeout-minutes"] <= 60


def test_no_job_leaves_its_token_in_the_checkout(file: Path) -> None:
    for step in _steps(file):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


def test_no_expression_is_pasted_into_a_script(file: Path) -> None:
    for step in _steps(file):
        assert "${{" not in step.get("run", ""), step["name"]


def test_every_make_target_that_is_run_is_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    scripts = [step["run"] for file in FILES for step in _steps(file) if "run" in step]
    run = {target for script in scripts for target in re.findall(r"\bmake ([a-z-]+)", script)}
    assert {"check", "docs", "lint-deploy"} <= run <= targets


def test_a_release_is_checked_built_for_both_architectures_listed_attested_and_signed() -> None:
    jobs = _workflow(_FOLDER / "release.yml")["jobs"]
    assert jobs["image"]["needs"] == "check"
    assert jobs["publish"]["needs"] == "image"
    steps = jobs["image"]["steps"]
    (build,) = (step for step in steps if step.get("uses", "").startswith("docker/build-push-action@"))
    assert build["with"]["platforms"] == "linux/amd64,linux/arm64"
    assert build["with"]["sbom"] is True
    assert build["with"]["provenance"] == "mode=max"
    assert any("cosign sign --yes" in step.get("run", "") for step in steps)
    assert any(step.get("uses", "").startswith("actions/attest-build-provenance@") for step in steps)


def test_the_released_manifests_name_the_image_by_its_digest(tmp_path: Path) -> None:
    """The step's own command, on what is committed."""
    steps = _workflow(_FOLDER / "release.yml")["jobs"]["publish"]["steps"]
    (render,) = (step["run"] for step in steps if "kubectl kustomize" in step.get("run", ""))
    rendered = (ROOT / "terraform" / "rendered" / "manifests.yml").read_text(encoding="utf-8")
    (tmp_path / "rendered.yml").write_text(rendered, encoding="utf-8")
    script = render.replace("kubectl kustomize .", "cat rendered.yml")
    digest = "sha256:" + "ab" * 32
    variables = {"IMAGE": "ghcr.io/team/goods-api", "DIGEST": digest, "PATH": "/usr/bin:/bin"}
    subprocess.run(["bash", "-e", "-c", script], cwd=tmp_path, env=variables, check=True)
    released = (tmp_path / "goods-api.yml").read_text(encoding="utf-8")
    assert released == rendered.replace("image: goods-api:0.1.0", f"image: ghcr.io/team/goods-api@{digest}")


@pytest.mark.parametrize(
    "command",
    [
        [".tools/bin/actionlint"],
        [".tools/zizmor/bin/zizmor", "--offline", "--quiet", "--persona=pedantic", ".github"],
    ],
    ids=["actionlint", "zizmor"],
)
def test_the_linters_find_nothing(command: list[str]) -> None:
    if not (ROOT / command[0]).exists():
        pytest.skip(f"not run: `make lint-workflows` installs {command[0]}, and has not yet")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
