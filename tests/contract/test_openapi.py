"""The OpenAPI document: nothing that a linter would say, nothing that changes unseen.

`python -m tests.contract.test_openapi > docs/reference/openapi.json` writes the reference anew.
"""

import difflib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app.application import create_app
from app.config.conf import load_settings

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference" / "openapi.json"
_LINTER = ROOT / "tests" / "openapi"


def document() -> dict[str, Any]:
    """What the service says of itself; its version is another matter."""
    described: dict[str, Any] = create_app(load_settings({"DB_HOST": "none"})).openapi()
    return {**described, "info": {**described["info"], "version": "0"}}


def reference() -> str:
    """The text of docs/reference/openapi.json."""
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


def test_the_description_is_the_one_that_is_committed() -> None:
    kept, now = REFERENCE.read_text(encoding="utf-8"), reference()
    changed = difflib.unified_diff(kept.splitlines(), now.splitlines(), "committed", "now", lineterm="", n=4)
    assert kept == now, "\n".join([*changed][:200])


def test_the_linter_says_nothing(tmp_path: Path) -> None:
    if shutil.which("npm") is None:
        pytest.skip("not run: there is no npm on this machine")
    linter = _LINTER / "node_modules" / ".bin" / "spectral"
    if not linter.exists():
        install = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        installed = subprocess.run(install, cwd=_LINTER, capture_output=True, text=True, timeout=300, check=False)
        if installed.returncode:
            pytest.skip(f"not run: npm could not install the linter: {installed.stderr[-200:]}")
    file = tmp_path / "openapi.json"
    file.write_text(json.dumps(document()), encoding="utf-8")
    rules = ["--ruleset", str(_LINTER / "ruleset.yaml"), "--fail-severity", "hint", "--format", "text"]
    said = subprocess.run([linter, "lint", *rules, file], capture_output=True, text=True, timeout=120, check=False)
    assert said.returncode == 0, said.stdout


def test_operations_have_names_that_a_client_can_use() -> None:
    names = [
        operation["operationId"] for operations in document()["paths"].values() for operation in operations.values()
    ]
    assert len(names) == len(set(names))
    assert all(name.isidentifier() and "__" not in name for name in names)


if __name__ == "__main__":
    sys.stdout.write(reference())
