"""The OpenAPI document: nothing that a linter would say, nothing that changes unseen.

`python -m tests.contract.test_openapi > docs/reference/openapi.json` writes the reference anew.
"""

import difflib
import json
import shutil
import subprocess
import sys
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from app.application import create_app
from app.config.conf import load_settings

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference" / "openapi.json"
_LINTER = ROOT / "tests" / "openapi"


@cache
def _described() -> str:
    return json.dumps(create_app(load_settings({"DB_HOST": "none"})).openapi())


def document() -> dict[str, Any]:
    """What the service says of itself; its version is another matter."""
    described: dict[str, Any] = json.loads(_described())
    return {**described, "info": {**described["info"], "version": "0"}}


def reference() -> str:
    """The text of docs/reference/openapi.json."""
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


def test_the_description_is_the_one_that_is_committed() -> None:
    kept, now = REFERENCE.read_text(encoding="utf-8"), reference()
    changed = difflib.unified_diff(kept.splitlines(), now.splitlines(), "committed", "now", lineterm="", n=4)
    how = "If it is meant: python -m tests.contract.test_openapi > docs/reference/openapi.json"
    assert kept == now, "\n".join(["The description has changed.", how, *islice(changed, 200)])


def test_the_linter_says_nothing_and_sees_an_example_that_is_wrong(tmp_path: Path) -> None:
    """The example is for the one rule that is a program of ours. Both at once: to load the linter takes seconds."""
    right, wrong = document(), document()
    wrong["components"]["schemas"]["GoodsRead"]["properties"]["created_at"]["examples"] = ["yesterday"]
    said = lint(tmp_path, right=right, wrong=wrong)
    assert [line for line in said if "wrong.json:" not in line] == []
    assert "schema-examples-valid" in "".join(said)


def lint(folder: Path, **described: dict[str, Any]) -> list[str]:
    """What the linter says of documents, in lines that begin with the path; it is installed when it is not there."""
    linter = _LINTER / "node_modules" / ".bin" / "spectral"
    if not linter.exists():
        _install()
    files = [folder / f"{name}.json" for name in described]
    for file, content in zip(files, described.values(), strict=True):
        file.write_text(json.dumps(content), encoding="utf-8")
    rules = ["--ruleset", str(_LINTER / "ruleset.yaml"), "--fail-severity", "hint", "--format", "text", "--quiet"]
    said = subprocess.run([linter, "lint", *rules, *files], capture_output=True, text=True, timeout=120, check=False)
    assert said.returncode in (0, 1), said.stdout + said.stderr
    return said.stdout.splitlines() if said.returncode else []


def _install() -> None:
    if shutil.which("npm") is None:
        pytest.skip("not run: there is no npm on this machine")
    install = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
    installed = subprocess.run(install, cwd=_LINTER, capture_output=True, text=True, timeout=300, check=False)
    if installed.returncode:
        pytest.skip(f"not run: npm could not install the linter: {installed.stderr[-200:]}")


def test_names_of_operations_are_unique() -> None:
    operations = [each for methods in document()["paths"].values() for each in methods.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)


def test_every_problem_that_is_referred_to_is_shown_and_no_other() -> None:
    described = document()
    shown = {f'"#/components/examples/{name}"' for name in described["components"]["examples"]}
    text = json.dumps(described)
    assert all(reference in text for reference in shown)


if __name__ == "__main__":
    sys.stdout.write(reference())
