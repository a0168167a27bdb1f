"""The dashboards are what their builders make, and each panel can be read by somebody who did not build it."""

import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitoring.grafana.build import built
from monitoring.grafana.build.__main__ import text
from tests.monitoring.boards import FOLDER, QUIET, ROOT, Json, dashboards, panels, queries

_PROVISIONING = ROOT / "monitoring" / "grafana" / "provisioning"
_UIDS = {"goods-api", "goods-business", "goods-database", "goods-logs", "goods-monitoring"}
# Those of Grafana's units that we use; it shows a name that it does not know behind each number.
_UNITS = {
    "none", "short", "percentunit", "reqps", "ops", "cps", "rowsps", "s", "ms", "bytes", "Bps", "string",
}  # fmt: skip
_BUILT_IN = {"__rate_interval", "__range", "__auto", "__value", "__url_time_range"}
BOARDS = pytest.mark.parametrize("board", dashboards().values(), ids=lambda board: str(board["uid"]))


def provisioned(kind: str) -> Any:
    return yaml.safe_load((_PROVISIONING / kind / f"{kind}.yml").read_text(encoding="utf-8"))


def test_the_committed_dashboards_are_what_is_built() -> None:
    """`make dashboards` writes them anew."""
    committed = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()}
    assert committed == {name: text(dashboard) for name, dashboard in built().items()}


def test_uids_are_fixed() -> None:
    assert set(dashboards()) == _UIDS


@BOARDS
def test_every_panel_says_what_it_shows_and_in_which_unit(board: Json) -> None:
    for panel in panels(board):
        assert panel["title"], panel
        assert len(panel["description"]) > 20, panel["title"]
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"] in _UNITS, panel["title"]


@BOARDS
def test_titles_and_ids_are_unique(board: Json) -> None:
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))
    titles = [(panel["title"], panel["type"]) for panel in panels(board)]
    assert len(titles) == len(set(titles))


@BOARDS
def test_panels_stand_side_by_side(board: Json) -> None:
    places = [panel["gridPos"] for panel in board["panels"]]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    for one, other in itertools.combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below, (one, other)


@BOARDS
def test_the_first_row_answers_at_a_glance(board: Json) -> None:
    """It fits on a screen without scrolling, and begins with numbers."""
    heading, first, *_ = board["panels"]
    assert heading["type"] == "row"
    assert first["type"] == "stat"
    assert first["gridPos"]["y"] + first["gridPos"]["h"] <= 9


@BOARDS
def test_queries_name_data_sources_that_are_provisioned(board: Json) -> None:
    sources = {source["uid"]: source["type"] for source in provisioned("datasources")["datasources"]}
    assert {"prometheus", "loki", "alertmanager"} == set(sources)
    named = [target["datasource"] for panel in panels(board) for target in panel["targets"]]
    named += [panel["datasource"] for panel in panels(board)]
    named += [annotation["datasource"] for annotation in board["annotations"]["list"]]
    assert all(sources[source["uid"]] == source["type"] for source in named)


@BOARDS
def test_variables_exist_and_are_used(board: Json) -> None:
    used = set(re.findall(r"\$\{?([a-z_]+)", json.dumps([panel["targets"] for panel in panels(board)])))
    known = {variable["name"] for variable in board["templating"]["list"]}
    assert used - _BUILT_IN == known


@BOARDS
def test_alerts_and_deploys_are_marked(board: Json) -> None:
    marked = {annotation["name"]: annotation["target"]["expr"] for annotation in board["annotations"]["list"]}
    assert set(marked) == {"Alerts", "Deploys"}
    assert "ALERTS" in marked["Alerts"]
    assert "goods_api_build_info" in marked["Deploys"]


@BOARDS
def test_a_table_shows_columns_that_its_queries_give(board: Json) -> None:
    for panel in panels(board):
        if panel["type"] != "table":
            continue
        shown = panel["transformations"][-1]["options"]["renameByName"]
        values = {f"Value #{target['refId']}" for target in panel["targets"]}
        exprs = " ".join(target["expr"] for target in panel["targets"])
        for field in shown:
            assert field in values or field in exprs or exprs.startswith("ALERTS"), (panel["title"], field)


def test_from_a_latency_point_to_log_lines_in_two_clicks() -> None:
    """Exemplars are asked for; their trace id is a link to the look-up of the logs, whose ids are links as well."""
    api = dashboards()["goods-api"]
    with_points = [panel["title"] for panel in panels(api) if any(t.get("exemplar") for t in panel["targets"])]
    assert with_points == ["Time to the beginning of the answer", "How long requests take"]
    prometheus, loki, _ = provisioned("datasources")["datasources"]
    (destination,) = prometheus["jsonData"]["exemplarTraceIdDestinations"]
    assert destination["name"] == "trace_id"
    links = [destination["url"], *(field["url"] for field in loki["jsonData"]["derivedFields"])]
    logs = dashboards()["goods-logs"]
    known = {variable["name"] for variable in logs["templating"]["list"]}
    for link in links:
        assert link.startswith("/d/goods-logs?var-")
        assert set(re.findall(r"var-([a-z_]+)=", link)) <= known
        assert re.findall(r"\$+\{", link) == ["$${", "$${"]  # with one dollar sign Grafana would look for a variable
    assert {field["matcherRegex"] for field in loki["jsonData"]["derivedFields"]} == {"request_id", "trace_id"}


def test_files_are_loaded_from_where_they_are_mounted() -> None:
    (provider,) = provisioned("dashboards")["providers"]
    assert provider["options"]["path"] == "/var/lib/grafana-dashboards"
    assert not provider["allowUiUpdates"]


def test_grafana_is_no_second_pager() -> None:
    alertmanager = provisioned("datasources")["datasources"][-1]
    assert alertmanager["type"] == "alertmanager"
    assert alertmanager["jsonData"]["handleGrafanaManagedAlerts"] is False
    assert not list(Path(_PROVISIONING).glob("alerting/*"))


def test_what_is_listed_as_quiet_is_there() -> None:
    there = {(query.dashboard, query.panel) for query in queries()} | {("*", query.panel) for query in queries()}
    assert set(QUIET) <= there
