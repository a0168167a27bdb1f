"""The dashboards, as Python that is read, built into JSON that Grafana loads.

`python -m monitoring.grafana.build` (or `make dashboards`) writes monitoring/grafana/dashboards/; a test holds that both
agree. Nothing is needed but Python: `queries` says what is asked, `panels` how an answer is shown, `dashboard` where on
the page, and each dashboard is a module of its own.
"""

from monitoring.grafana.build import api, database, goods, logs, monitoring
from monitoring.grafana.build.dashboard import Json

DASHBOARDS = {
    "api": api.dashboard,
    "goods": goods.dashboard,
    "database": database.dashboard,
    "logs": logs.dashboard,
    "monitoring": monitoring.dashboard,
}


def built() -> dict[str, Json]:
    """Each dashboard by the name of its file."""
    return {f"{name}.json": dashboard() for name, dashboard in DASHBOARDS.items()}
