import csv
import io
import json
from pathlib import Path

import pytest

from app.config.conf import Settings
from app.database.migrate import head
from tests.commands.conftest import Program


def test_a_mistake_in_the_settings_is_one_line(program: Program) -> None:
    ended = program.run("serve", DB_PORT="7")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "goods: environment: DB_PORT is set without DB_HOST; set both, or neither\n"


def test_the_settings_in_force_are_shown_and_secrets_are_not(tmp_path: Path) -> None:
    program = Program({})  # whose runs are processes from the beginning
    file = tmp_path / "db.yml"
    file.write_text("DB_HOST: db.example\nDB_PASSWORD: hunter2\n")
    ended = program.run("check-config", GOODS_CONFIG=str(file), API_PORT="8123")
    rows = {line.split()[0]: line.split()[1:] for line in ended.stdout.splitlines()}
    assert ended.returncode == 0
    assert rows["DB_HOST"] == ["db.example", str(file)]
    assert rows["DB_PASSWORD"] == ["******", str(file)]
    assert rows["API_PORT"] == ["8123", "environment"]
    assert rows["CURRENCY"] == ["EUR", "default"]
    assert len(rows) == len(Settings.model_fields)
    assert "hunter2" not in ended.stdout + ended.stderr


def test_openapi_is_printed_without_any_database() -> None:
    ended = Program({}).run("openapi")
    document = json.loads(ended.stdout)
    assert document["info"]["title"] == "Goods API"
    assert "/goods/{goods_id}" in document["paths"]


def test_migrating_twice_changes_nothing_the_second_time(program: Program) -> None:
    first = program.run("migrate")
    second = program.run("migrate")
    assert (first.returncode, second.returncode) == (0, 0)
    assert f"migrated to {head()}" in first.stdout
    assert f"up to date at {head()}" in second.stdout


def test_a_database_that_cannot_be_reached_is_told_in_one_line(program: Program, tmp_path: Path) -> None:
    ended = program.run("migrate", DB_HOST=str(tmp_path))
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"goods: cannot migrate goods at {tmp_path}: ")
    assert ended.stderr.count("\n") == 1


async def test_sample_goods_are_loaded_into_an_empty_database_only(goods: Program) -> None:
    first = goods.run("sample", "1500")
    assert (first.returncode, first.stderr.splitlines()[-1]) == (0, "1500 sample goods loaded")
    second = goods.run("sample")
    assert second.returncode == 1
    assert "the database holds goods already" in second.stderr


def test_sample_goods_can_be_written_to_a_file(program: Program, tmp_path: Path) -> None:
    file = tmp_path / "goods.csv"
    assert program.run("sample", "30", "--output", str(file)).returncode == 0
    printed = program.run("sample", "30", "--output", "-").stdout
    assert file.read_text(encoding="utf-8") == printed
    rows = list(csv.DictReader(io.StringIO(printed)))
    assert len(rows) == 30
    assert list(rows[0]) == ["sku", "name", "description", "category", "price", "stock"]


@pytest.mark.parametrize("arguments", [["sample", "0"], ["sample", "many"], ["nonsense"]])
def test_what_is_no_command_is_explained(program: Program, arguments: list[str]) -> None:
    ended = program.run(*arguments)
    assert ended.returncode == 2
    assert "Usage: goods" in ended.stderr
