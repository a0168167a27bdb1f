"""The README's lines do what it says, and the links of all documents lead somewhere."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.commands.conftest import Program, forks, program

__all__ = ["forks", "program"]

ROOT = Path(__file__).parents[2]
LINES = re.findall(r"^\$ (curl .*)$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "data").glob("*.md")])


def run(command: str) -> str:
    return subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=30, check=True).stdout


@pytest.mark.skipif(shutil.which("curl") is None, reason="not run: there is no curl on this machine")
async def test_the_ten_lines_show_what_the_readme_says(program: Program) -> None:
    serving = program.serve()
    await serving.ready()
    said = [run(line.replace("http://127.0.0.1:8000", serving.url)) for line in LINES]
    assert len(said) == 10
    index, page, searched, created, by_sku, patched, refused, invalid, metrics, ready = said
    assert json.loads(index)["service"] == "goods-api"
    assert len(json.loads(page)["items"]) == 2
    assert "lantern, small" in json.loads(searched)["items"][0]["name"]
    assert created.startswith("HTTP/1.1 201")
    assert by_sku.startswith("HTTP/1.1 200")
    assert json.loads(patched)["version"] == 2
    assert json.loads(refused)["status"] == 412
    assert {error["pointer"] for error in json.loads(invalid)["errors"]} == {"#/name", "#/price", "#/colour"}
    assert "goods_created_total 1.0" in metrics
    assert ready.startswith("HTTP/1.1 200")
    assert serving.stop()[0] == 0


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", document.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (document.parent / target).exists(), target


def test_every_decision_has_context_decision_and_consequence() -> None:
    pages = list((ROOT / "docs" / "decisions").glob("0*.md"))
    assert pages
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert all(f"**{part}.**" in text for part in ("Context", "Decision", "Consequence")), page.name
