"""Write the dashboards to monitoring/grafana/dashboards/."""

import json
from pathlib import Path

from monitoring.grafana.build import built

FOLDER = Path(__file__).parents[1] / "dashboards"


def text(dashboard: object) -> str:
    """The dashboard as it stands in its file."""
    return json.dumps(dashboard, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, dashboard in built().items():
        (FOLDER / name).write_text(text(dashboard), encoding="utf-8")
