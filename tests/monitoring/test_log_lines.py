"""What the service really writes: it fits its schema, the log agent understands it, and the queries find it."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from app.logs.fields import FIELDS
from tests.commands.conftest import Program, forks, goods
from tests.monitoring.boards import ROOT, queries
from tests.monitoring.grammar import parse
from tests.monitoring.log_lines import EVENTS, events, written
from tests.monitoring.stages import Line, run

__all__ = ["forks", "goods"]

SCHEMA = json.loads((ROOT / "docs" / "reference" / "log-line.schema.json").read_text(encoding="utf-8"))
AGENTS = {name: ROOT / "monitoring" / "promtail" / name for name in ("promtail.yml", "promtail.kubernetes.yml")}
# What the agents give besides the level.
LABELS = {"service", "env", "container", "namespace", "pod"}
_CACHE: list[str] = []


@pytest.fixture
async def lines(goods: Program, connection: Any, tmp_path: Path) -> list[str]:
    """Real lines of all kinds; they are made once."""
    if not _CACHE:
        _CACHE.extend(await written(goods, connection, tmp_path))
    return _CACHE


def stages(name: str) -> list[Any]:
    (scrape,) = yaml.safe_load(AGENTS[name].read_text(encoding="utf-8"))["scrape_configs"]
    found: list[Any] = scrape["pipeline_stages"]
    return found


@pytest.mark.slow
async def test_every_line_fits_the_schema(lines: list[str]) -> None:
    validator = jsonschema_rs.validator_for(SCHEMA)
    wrong = {line: [error.message for error in validator.iter_errors(json.loads(line))] for line in lines}
    assert {line: errors for line, errors in wrong.items() if errors} == {}
    assert EVENTS - events(lines) == set()
    routes = {json.loads(line).get("route", "") for line in lines}
    assert {"__unmatched__", "/changes#stream", "/goods/{goods_id}"} <= routes
    assert {"error.type", "goods_id"} <= {field for line in lines for field in json.loads(line)}
    assert any(json.loads(line)["logger"].startswith("uvicorn") for line in lines)


def test_the_schema_has_the_fields_that_are_written_and_no_others() -> None:
    assert tuple(SCHEMA["properties"]) == FIELDS


@pytest.mark.parametrize(
    "wrong",
    [
        {"level": "notice"},
        {"ts": "2026-11-23T12:31:05Z"},
        {"client": "203.0.113.7"},
        {"status": "200"},
        {"trace_id": "0AF7651916CD43DD8448EB211C80319C"},
        {"route": None},
        {"error.stack": "Traceback"},
        {"event": "http.other"},
    ],
)
def test_the_schema_refuses_what_is_wrong(wrong: dict[str, Any]) -> None:
    page = (ROOT / "docs" / "reference" / "logs.md").read_text(encoding="utf-8")
    shown = json.loads(re.findall(r"^\{.*\}$", page, re.MULTILINE)[0])
    validator = jsonschema_rs.validator_for(SCHEMA)
    assert validator.is_valid(shown)
    assert not validator.is_valid({name: value for name, value in (shown | wrong).items() if value is not None})


@pytest.mark.slow
async def test_every_field_of_a_query_stands_in_a_real_line(lines: list[str]) -> None:
    """`error.type` is a field, and `error_type` what LogQL makes of it."""
    fields = {field for line in lines for field in json.loads(line)}
    known = {field.replace(".", "_") for field in fields} | LABELS | {"level", "__error__"}
    asked = [query for query in queries() if query.datasource == "loki"]
    for query, found in zip(asked, parse("logql", [query.expr for query in asked]), strict=True):
        assert set(found.identifiers) - known == set(), query.panel
        extracted = re.findall(
            r'= ?"(?:\[\\")?([\w.]+)(?:\\"\])?"', " ".join(re.findall(r"\| json ([^|\[]+\S*)", query.expr))
        )
        assert set(extracted) - fields == set(), query.panel
        assert set(re.findall(r"\{\{\.(\w+)\}\}", query.expr)) - known == set(), query.panel
        for contained in (text for text in found.line_filters if text.startswith("|= ")):
            assert any(contained[4:-1] in line for line in lines), (query.panel, contained)


@pytest.mark.slow
@pytest.mark.parametrize("name", AGENTS)
async def test_the_agent_understands_every_line(name: str, lines: list[str]) -> None:
    around = "2026-11-26T14:02:11.1Z stdout F " if "kubernetes" in name else ""
    for text in lines:
        said = json.loads(text)
        line = run(stages(name), Line(around + text, {"service": "api", "filename": "f", "stream": "stdout"}))
        assert line.text == text
        assert line.labels == {"service": "api", "level": said["level"]}
        ids = {field: said[field] for field in ("request_id", "trace_id") if field in said}
        assert line.metadata == ids
        assert line.timestamp == said["ts"]


@pytest.mark.parametrize(
    ("service", "text", "level"),
    [
        ("prometheus", 'time=2026-11-26T14:19:29.348Z level=INFO source=main.go:1215 msg="Server is ready"', "info"),
        ("loki", 'level=warn ts=2026-11-26T14:19:29.3Z caller=flush.go:253 msg="failed to flush"', "warning"),
        ("grafana", 'logger=settings t=2026-11-26T14:19:29.3Z level=error msg="x"', "error"),
        ("postgres", "2026-11-26 14:05:01.117 UTC [3181] LOG:  checkpoint starting: time", "info"),
        ("postgres", '2026-11-26 14:05:01.117 UTC [3181] ERROR:  relation "x" does not exist at character 15', "error"),
        (
            "postgres",
            "2026-11-26 14:05:01.117 UTC [3181] goods@goods FATAL:  sorry, too many clients already",
            "critical",
        ),
        ("postgres", "\tcontinued", None),
        ("api", "a line that is no JSON", None),
    ],
)
def test_other_programs_have_levels_too(service: str, text: str, level: str | None) -> None:
    line = run(stages("promtail.yml"), Line(text, {"service": service}))
    assert line.labels == {"service": service} | ({"level": level} if level else {})
    assert line.metadata == {}
    assert line.timestamp is None


def test_both_agents_have_the_same_stages() -> None:
    first, *others = stages("promtail.kubernetes.yml")
    assert first == {"cri": {}}
    assert others == stages("promtail.yml")


def test_selectors_of_stages_are_logql() -> None:
    selectors = [stage["match"]["selector"] for stage in stages("promtail.yml") if "match" in stage]
    assert len(selectors) == 3
    assert [found.errors for found in parse("logql", selectors)] == [[], [], []]


@pytest.mark.parametrize("name", AGENTS)
def test_labels_are_few(name: str) -> None:
    """Each set of values of the labels is a stream of its own: ids, paths and pods' uids would be thousands."""
    (scrape,) = yaml.safe_load(AGENTS[name].read_text(encoding="utf-8"))["scrape_configs"]
    targets = {rule["target_label"] for rule in scrape["relabel_configs"]}
    assert {target for target in targets if not target.startswith("__")} <= LABELS
    made = [stage["labels"] for stage in stages(name) if "labels" in stage]
    assert made == [{"level": None}]


def test_nothing_stands_in_the_files_that_only_one_of_the_agents_takes() -> None:
    for path in AGENTS.values():
        assert set(yaml.safe_load(path.read_text(encoding="utf-8"))) == {"clients", "scrape_configs"}
        assert "${" not in path.read_text(encoding="utf-8")


def test_loki_deletes_what_is_old() -> None:
    loki = yaml.safe_load((ROOT / "monitoring" / "loki" / "loki.yml").read_text(encoding="utf-8"))
    assert loki["compactor"]["retention_enabled"] is True
    assert loki["compactor"]["delete_request_store"] == "filesystem"
    assert loki["limits_config"]["retention_period"] == "744h"
    (schema,) = loki["schema_config"]["configs"]
    assert (schema["store"], schema["schema"], schema["index"]["period"]) == ("tsdb", "v13", "24h")
    assert loki["limits_config"]["allow_structured_metadata"] is True
    assert loki["ruler"]["storage"] == {"type": "local", "local": {"directory": "/etc/loki/rules"}}
    assert loki["ruler"]["alertmanager_url"] == "http://alertmanager:9093"
