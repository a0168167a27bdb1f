"""The pages on deployment: what they list is there, and what they show can be applied."""

import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from app.config.conf import NAMES
from tests.deploy.manifests import ROOT, assert_valid

_REFERENCE = ROOT / "docs" / "reference" / "deployment.md"
_PAGES = sorted((ROOT / "docs" / "how-to").glob("*.md"))
# What Kubernetes itself has no schema of.
_OTHERS = ("kustomize.config.k8s.io/", "gateway.networking.k8s.io/", "postgresql.cnpg.io/")


def _rows() -> list[list[str]]:
    lines = _REFERENCE.read_text(encoding="utf-8").splitlines()
    cells = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines if line.startswith("| ")]
    return [row for row in cells if row[0] != "practice"]


def test_the_checklist_has_practices_with_a_file_and_a_test_each() -> None:
    rows = _rows()
    assert len(rows) > 50
    for row in rows:
        assert len(row) == 3, row
        assert re.search(r"`[^`]+`", row[1]), row


@pytest.mark.parametrize("column", [1, 2], ids=["files", "tests"])
def test_every_file_and_every_test_of_the_checklist_is_there(column: int) -> None:
    for row in _rows():
        for place in re.findall(r"`([^`]+)`", row[column]):
            path, _, test = place.partition("::")
            assert (ROOT / path).exists(), place
            if test:
                assert f"def {test}(" in (ROOT / path).read_text(encoding="utf-8"), place


def _examples() -> list[tuple[Path, dict[str, Any]]]:
    found = []
    for page in _PAGES:
        for block in re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
            found += [(page, document) for document in yaml.safe_load_all(block) if isinstance(document, dict)]
    return found


def test_the_manifests_on_the_pages_are_valid() -> None:
    checked = 0
    for page, document in _examples():
        version = str(document.get("apiVersion", ""))
        if version and not version.startswith(_OTHERS):
            try:
                assert_valid(document)
            except kubernetes_validate.ValidationError as error:
                pytest.fail(f"{page.name}: {error}")
            checked += 1
    assert checked


def test_settings_that_a_page_shows_are_settings() -> None:
    for name in re.findall(r"`((?:DB|API|SHUTDOWN)_[A-Z_]+)`", "".join(page.read_text("utf-8") for page in _PAGES)):
        assert name.removesuffix("_FILE") in NAMES, name
