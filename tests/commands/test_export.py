"""`goods export`: the same file as the API gives, to stdout or to a file that is whole."""

import json
import os
import stat
import subprocess
from pathlib import Path

import httpx2
import pytest

from tests.commands.conftest import PROGRAM, Program

pytestmark = pytest.mark.slow


async def test_the_command_writes_what_the_api_answers(goods: Program, tmp_path: Path) -> None:
    goods.run("sample", "1200")
    serving = goods.serve()
    await serving.ready()
    async with httpx2.AsyncClient(base_url=serving.url, verify=False) as client:
        answers = {form: (await client.get(f"/goods/export?format={form}")).content for form in ("csv", "ndjson")}
        some = (await client.get("/goods/export?in_stock=true&min_price=5&max_price=90")).content
    for form, content in answers.items():
        assert content.count(b"\n") >= 1200
        file = tmp_path / f"goods.{form}"
        file.write_text("replaced")
        ended = goods.run("export", "--format", form, "--output", str(file))
        assert (ended.returncode, ended.stdout) == (0, "")
        assert ended.stderr.endswith("1200 goods exported\n")
        assert file.read_bytes() == content
    filters = ("--in-stock", "true", "--min-price", "5", "--max-price", "90")
    printed = _bytes_of(goods, "export", *filters)
    assert len(printed) < len(answers["csv"])
    assert printed == some
    assert _names(tmp_path) == ["goods.csv", "goods.ndjson"]
    serving.stop()


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def _bytes_of(goods: Program, *arguments: str) -> bytes:
    """What a command writes on stdout, line ends as they are."""
    return subprocess.run([PROGRAM, *arguments], env=goods.environ(), capture_output=True, check=True).stdout


async def test_a_reader_that_has_enough_ends_it_quietly(goods: Program) -> None:
    goods.run("sample", "5000")
    process = subprocess.Popen(  # noqa: ASYNC220 - nothing else is under way
        [PROGRAM, "export", "--format", "ndjson"],
        env=goods.environ(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert json.loads(process.stdout.readline())["id"] == 1
    process.stdout.close()
    said = process.stderr.read().decode()
    process.stderr.close()
    process.wait(timeout=60)
    assert "Traceback" not in said
    assert "Error" not in said


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (("--format", "xml"), "--format"),
        (("--in-stock", "maybe"), "--in-stock"),
        (("--min-price", "1.234"), "--min-price"),
        (("--category", "x" * 101), "--category"),
    ],
)
async def test_a_wrong_option_is_named(goods: Program, arguments: tuple[str, ...], option: str) -> None:
    ended = goods.run("export", *arguments)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert option in ended.stderr
    assert "Usage: goods export" in ended.stderr


async def test_what_fails_leaves_the_old_file_and_says_why_in_one_line(goods: Program, tmp_path: Path) -> None:
    file = tmp_path / "goods.csv"
    file.write_text("old")
    ended = goods.run("export", "--output", str(file), DB_HOST=str(tmp_path))
    assert ended.returncode == 1
    assert ended.stderr == f"goods: cannot export goods at {tmp_path}: The database does not answer at the moment.\n"
    assert _names(tmp_path) == ["goods.csv"]
    assert file.read_text() == "old"


async def test_a_file_that_cannot_be_written_is_told_in_one_line(goods: Program, tmp_path: Path) -> None:
    missing = tmp_path / "none" / "goods.csv"
    ended = goods.run("export", "--output", str(missing), DB_HOST=str(tmp_path))
    assert ended.returncode == 1
    assert ended.stderr == f"goods: cannot write {missing}: No such file or directory\n"


async def test_a_named_pipe_stays_one_and_a_link_leads_to_the_file(goods: Program, tmp_path: Path) -> None:
    goods.run("sample", "10")
    pipe, file, link = (tmp_path / name for name in ("pipe", "file.csv", "link.csv"))
    os.mkfifo(pipe)
    link.symlink_to(file)
    process = subprocess.Popen(  # noqa: ASYNC220 - as above
        [PROGRAM, "export", "--output", pipe], env=goods.environ(), stderr=subprocess.DEVNULL
    )
    taken = pipe.read_bytes()
    assert process.wait(timeout=60) == 0
    assert goods.run("export", "--output", str(link)).returncode == 0
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert link.is_symlink()
    assert file.read_bytes() == taken
    assert taken.count(b"\r\n") == 11
