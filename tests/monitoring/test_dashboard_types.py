"""The dashboards are what Grafana itself, by the types that it publishes, says that a dashboard is.

Grafana can't be had here. Its schema can: a name or a value that it does not know is an error of its compiler.
"""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.monitoring.boards import ROOT, dashboards
from tests.monitoring.npm import installed

_FOLDER = Path(__file__).parent / "grafana"
_RAW = "@grafana/schema/dist/types/raw"
_IMAGE = re.compile(r"grafana/grafana:(\S+)")
# What a data source's plugin adds to an annotation; the schema knows nothing of it.
_OF_PLUGINS = {"target", "titleFormat", "textFormat", "tagKeys"}
# Panels whose series have settings of their own kind.
_WITH_FIELD_CONFIG = {"timeseries", "heatmap", "table"}


class _Program:
    """TypeScript that gives each part of a dashboard the type that it must have."""

    def __init__(self) -> None:
        self._kinds: set[str] = set()
        self._lines: list[str] = []

    def add(self, dashboard: dict[str, Any]) -> None:
        for panel in dashboard["panels"]:
            self._typed("dashboard.RowPanel" if panel["type"] == "row" else "dashboard.Panel", panel)
            if panel["type"] != "row":
                self._panel(panel)
        for variable in dashboard["templating"]["list"]:
            self._typed("dashboard.VariableModel", variable)
        for annotation in dashboard["annotations"]["list"]:
            known = {name: value for name, value in annotation.items() if name not in _OF_PLUGINS}
            self._typed("dashboard.AnnotationQuery", known)
        for link in dashboard["links"]:
            self._typed("dashboard.DashboardLink", link)
        self._typed("dashboard.Dashboard", dashboard | {"panels": [], "templating": {}, "annotations": {}, "links": []})

    def _panel(self, panel: dict[str, Any]) -> None:
        kind = panel["type"]
        self._kinds.add(kind)
        self._typed(f"{kind}.Options", panel["options"])
        custom = panel["fieldConfig"]["defaults"].get("custom", {})
        if kind in _WITH_FIELD_CONFIG:
            self._typed(f"{kind}.FieldConfig", custom)
        else:
            assert custom == {}, panel["title"]

    def _typed(self, name: str, value: object) -> None:
        self._lines.append(f"{{ const it: Loose<{name}> = {json.dumps(value)}; void it; }}")

    def text(self) -> str:
        imports = [
            f"import type * as {kind} from '{_RAW}/composable/{kind}/panelcfg/x/types.gen';" for kind in self._kinds
        ]
        first = [
            "import type { Loose } from './loose';",
            f"import type * as dashboard from '{_RAW}/dashboard/x/types.gen';",
        ]
        return "\n".join([*first, *sorted(imports), *self._lines, ""])


def compiled(folder: Path, *boards: dict[str, Any]) -> str:
    """What the compiler says of the dashboards: nothing, when all is well."""
    modules = installed(_FOLDER)
    program = _Program()
    for board in boards:
        program.add(board)
    (folder / "dashboards.ts").write_text(program.text(), encoding="utf-8")
    shutil.copy(_FOLDER / "loose.ts", folder)
    options = {
        "strict": True, "noEmit": True, "skipLibCheck": True, "module": "esnext", "moduleResolution": "bundler",
        "target": "es2022", "types": [], "resolvePackageJsonExports": False,
        "paths": {"@grafana/schema": [f"{modules}/@grafana/schema/dist/types/index.d.ts"], "*": [f"{modules}/*"]},
    }  # fmt: skip
    settings = {"compilerOptions": options, "files": ["dashboards.ts"]}
    (folder / "tsconfig.json").write_text(json.dumps(settings), encoding="utf-8")
    compiler = modules / ".bin" / "tsc"
    said = subprocess.run([compiler, "-p", folder], capture_output=True, text=True, timeout=120, check=False)
    assert said.returncode in (0, 1, 2), said.stderr
    return said.stdout


@pytest.mark.slow
def test_grafana_knows_all_that_stands_in_the_dashboards(tmp_path: Path) -> None:
    assert compiled(tmp_path, *dashboards().values()) == ""


@pytest.mark.slow
def test_what_grafana_does_not_know_is_seen(tmp_path: Path) -> None:
    board = dashboards()["goods-api"]
    one, other, *_ = (panel for panel in board["panels"] if panel["type"] == "timeseries")
    board["refersh"] = "30s"
    one["descripton"] = "A slip."
    one["options"]["legendMode"] = "list"
    other["fieldConfig"]["defaults"]["custom"]["drawStyle"] = "lines"
    said = compiled(tmp_path, board)
    assert [slip for slip in ("refersh", "descripton", "legendMode", '"lines"') if slip not in said] == []


def test_the_schema_is_that_of_the_grafana_that_is_deployed() -> None:
    """Where a file names the image."""
    schema = json.loads((_FOLDER / "package.json").read_text(encoding="utf-8"))["devDependencies"]["@grafana/schema"]
    named = [tag for path in ROOT.glob("*.yml") for tag in _IMAGE.findall(path.read_text(encoding="utf-8"))]
    assert set(named) <= {schema}
