"""The program that makes up the compose file's secrets."""

import io
from pathlib import Path

import pytest

from deploy.compose.init_secrets import MADE, NOTIFICATIONS, main


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The volumes, as compose mounts them."""
    for group in (*MADE, "notifications"):
        (tmp_path / group).mkdir()
    return tmp_path


def values(home: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in home.glob("*/*")}


def test_each_is_made_up_once_and_another_one_each_time(home: Path, tmp_path: Path) -> None:
    assert main([], home) == 0
    first = values(home)
    assert set(first) == {name for names in MADE.values() for name in names}
    assert len(set(first.values())) == len(first)
    assert min(map(len, first.values())) >= 43  # 256 bits
    (tmp_path / "owner" / "db_owner_password").unlink()
    assert main([], home) == 0
    second = values(home)
    assert {name for name, value in second.items() if first[name] != value} == {"db_owner_password"}


def test_whoever_the_container_runs_as_can_read_and_nobody_can_write(home: Path) -> None:
    main([], home)
    assert {path.stat().st_mode & 0o777 for path in home.glob("*/*")} == {0o444}


def test_nothing_secret_is_said(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([], home)
    main(["list"], home)
    said = capsys.readouterr()
    assert "db_password" in said.out
    assert not [value for value in values(home).values() if value in said.out + said.err]


def test_a_secret_is_set_from_standard_input_and_taken_away(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("https://hooks.example/x\n"))
    assert main(["set", "slack_api_url"], home) == 0
    assert (home / "notifications" / "slack_api_url").read_text() == "https://hooks.example/x"
    monkeypatch.setattr("sys.stdin", io.StringIO("of the server outside\n"))
    assert main(["set", "db_password"], home) == 0
    assert main([], home) == 0
    assert (home / "application" / "db_password").read_text() == "of the server outside"
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert main(["set", "slack_api_url"], home) == 0
    assert not (home / "notifications" / "slack_api_url").exists()


def test_a_name_that_nobody_reads_is_refused(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("x"))
    assert main(["set", "slack_url"], home) == 2
    assert all(name in capsys.readouterr().err for name in NOTIFICATIONS[:1])
    assert main(["nonsense"], home) == 2
    assert values(home) == {}
